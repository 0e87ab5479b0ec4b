package dev.nibble.model;

import dev.nibble.kernel.TiledMatrix;
import dev.nibble.model.block.Attention;
import dev.nibble.model.block.Block;
import dev.nibble.model.block.GatedFeedForward;
import dev.nibble.model.block.Linear;
import dev.nibble.model.block.Normalization;
import dev.nibble.model.block.RotaryTable;
import dev.nibble.model.family.Hyperparameters;
import dev.nibble.model.family.TensorRole;
import dev.nibble.model.family.TensorSpec;
import dev.nibble.model.spec.AttentionSpec;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.FeedForwardSpec;
import dev.nibble.model.spec.LayerSpec;
import dev.nibble.model.spec.Norm;
import dev.nibble.model.spec.Position;
import dev.nibble.model.spec.RopeScaling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A decoder's weights, put together.
 *
 * @param embedding [vocabulary, width]
 * @param output [vocabulary, width]; the embedding where the head is tied
 * @param divisors of RoPE's frequencies, as {@link Divisors} has them for each position of the spec
 */
record DecoderWeights(TiledMatrix embedding, List<Block> blocks, Normalization outputNorm, Linear output, List<Divisors> divisors) {
  /** What frequencies are divided by, and sines and cosines multiplied by. @param values [pairs]; empty for nothing */
  record Divisors(double[] values, float magnitude) {}

  DecoderWeights {
    blocks = List.copyOf(blocks);
    divisors = List.copyOf(divisors);
  }

  /**
   * Puts them together.
   *
   * @throws IllegalArgumentException for weights that do not go together
   */
  static DecoderWeights of(DecoderSpec spec, DecoderTensors tensors) {
    TiledMatrix embedding = tensors.matrix(TensorRole.TOKEN_EMBEDDING, TensorSpec.WHOLE_MODEL);
    List<Position> positions = spec.positions();
    List<Block> blocks = new ArrayList<>();
    for (int layer = 0; layer < spec.layers().size(); layer++) {
      blocks.add(block(spec.layers().get(layer), layer, positions, tensors));
    }
    TiledMatrix output = tensors.matrix(TensorRole.OUTPUT, TensorSpec.WHOLE_MODEL);
    Linear head = output == null
        ? new Linear(tensors.name(TensorRole.TOKEN_EMBEDDING, TensorSpec.WHOLE_MODEL), embedding, new float[0])
        : new Linear(tensors.name(TensorRole.OUTPUT, TensorSpec.WHOLE_MODEL), output, new float[0]);
    return new DecoderWeights(embedding, blocks, Normalization.of(spec.outputNorm(), tensors.vector(TensorRole.OUTPUT_NORM, TensorSpec.WHOLE_MODEL)), head,
        positions.stream().map(position -> divisors(position, spec.context(), tensors)).toList());
  }

  private static Block block(LayerSpec block, int layer, List<Position> positions, DecoderTensors tensors) {
    AttentionSpec of = block.attention();
    TiledMatrix joined = tensors.matrix(TensorRole.QUERY_KEY_VALUE, layer);
    Linear query = part(tensors, layer, TensorRole.QUERY, TensorRole.QUERY_BIAS, TensorRole.QUERY_KEY_VALUE, joined, 0, of.queryWidth());
    Linear key = part(tensors, layer, TensorRole.KEY, TensorRole.KEY_BIAS, TensorRole.QUERY_KEY_VALUE, joined, of.queryWidth(), of.keyValueWidth());
    Linear value = part(
        tensors, layer, TensorRole.VALUE, TensorRole.VALUE_BIAS, TensorRole.QUERY_KEY_VALUE, joined, of.queryWidth() + of.keyValueWidth(), of.keyValueWidth());
    Attention attention = new Attention(of, layer, query, key, value,
        linear(tensors, layer, TensorRole.ATTENTION_OUTPUT, TensorRole.ATTENTION_OUTPUT_BIAS),
        norm(of.queryKeyNorm(), tensors, TensorRole.QUERY_NORM, layer), norm(of.queryKeyNorm(), tensors, TensorRole.KEY_NORM, layer),
        positions.indexOf(of.position()));
    GatedFeedForward feedForward = switch (block.feedForward()) {
      case FeedForwardSpec.Gated gated -> {
        TiledMatrix both = tensors.matrix(TensorRole.GATE_UP, layer);
        yield new GatedFeedForward(gated,
            part(tensors, layer, TensorRole.GATE, TensorRole.GATE_BIAS, TensorRole.GATE_UP, both, 0, gated.hidden()),
            part(tensors, layer, TensorRole.UP, TensorRole.UP_BIAS, TensorRole.GATE_UP, both, gated.hidden(), gated.hidden()),
            linear(tensors, layer, TensorRole.DOWN, TensorRole.DOWN_BIAS));
      }
    };
    return new Block(attention, feedForward,
        norm(Optional.of(block.attentionNorm()), tensors, TensorRole.ATTENTION_NORM, layer),
        norm(block.afterAttention(), tensors, TensorRole.AFTER_ATTENTION_NORM, layer),
        norm(Optional.of(block.feedForwardNorm()), tensors, TensorRole.FEED_FORWARD_NORM, layer),
        norm(block.afterFeedForward(), tensors, TensorRole.AFTER_FEED_FORWARD_NORM, layer));
  }

  /** Null for none. */
  private static Normalization norm(Optional<Norm> norm, DecoderTensors tensors, TensorRole role, int layer) {
    return norm.map(of -> Normalization.of(of, tensors.vector(role, layer))).orElse(null);
  }

  private static Linear linear(DecoderTensors tensors, int layer, TensorRole role, TensorRole bias) {
    return new Linear(tensors.name(role, layer), tensors.matrix(role, layer), tensors.vector(bias, layer));
  }

  /** A matrix of its own, or some rows of a joined one. */
  private static Linear part(
      DecoderTensors tensors, int layer, TensorRole role, TensorRole bias, TensorRole joinedRole, TiledMatrix joined, int firstRow, int rows) {
    return joined == null ? linear(tensors, layer, role, bias)
        : new Linear(tensors.name(joinedRole, layer), joined.slice(firstRow, rows), tensors.vector(bias, layer));
  }

  /** The factor of linear scaling × the factors of the file, where there are any; LongRoPE's list for the model's context. */
  private static Divisors divisors(Position position, int context, DecoderTensors tensors) {
    Divisors divisors = switch (position) {
      case Position.Rope rope -> switch (rope.scaling()) {
        case RopeScaling.Linear linear -> new Divisors(linear.factor() == 1 ? new double[0] : filled(rope, linear.factor()), 1);
        case RopeScaling.Factors factors -> {
          float[] own = tensors.vector(TensorRole.ROPE_FACTORS, TensorSpec.WHOLE_MODEL);
          if (own.length == 0 && factors.factor() == 1) {
            yield new Divisors(new double[0], 1);
          }
          double[] values = filled(rope, factors.factor());
          for (int i = 0; i < own.length; i++) {
            values[i] *= own[i];
          }
          yield new Divisors(values, 1);
        }
        case RopeScaling.LongRope longRope -> {
          float[] own = tensors.vector(
              context > longRope.originalContext() ? TensorRole.ROPE_FACTORS_LONG : TensorRole.ROPE_FACTORS_SHORT, TensorSpec.WHOLE_MODEL);
          double[] values = filled(rope, 1);
          for (int i = 0; i < own.length; i++) {
            values[i] = own[i];
          }
          yield new Divisors(values, longRope.magnitude());
        }
      };
    };
    for (double divisor : divisors.values()) {
      if (!(divisor >= Hyperparameters.LEAST_ROPE_DIVISOR)) {
        throw new IllegalArgumentException("RoPE's frequencies are divided by " + divisor + "; allowed: " + Hyperparameters.LEAST_ROPE_DIVISOR + " and more");
      }
    }
    return divisors;
  }

  private static double[] filled(Position.Rope rope, double factor) {
    double[] values = new double[rope.width() / 2];
    Arrays.fill(values, factor);
    return values;
  }

  /** Tables of sines and cosines, one for each of the spec's positions. */
  List<RotaryTable> rotations(DecoderSpec spec, int tokens) {
    List<RotaryTable> tables = new ArrayList<>();
    List<Position> positions = spec.positions();
    for (int i = 0; i < positions.size(); i++) {
      switch (positions.get(i)) {
        case Position.Rope rope -> tables.add(new RotaryTable(rope, divisors.get(i).values(), divisors.get(i).magnitude(), tokens));
      }
    }
    return tables;
  }

  /** Bytes of the matrices that computing one token reads: all but the embedding, of which it reads one row. */
  long bytesPerToken() {
    long bytes = output.matrix().bytes();
    for (Block block : blocks) {
      Attention attention = block.attention();
      GatedFeedForward feedForward = block.feedForward();
      for (Linear linear : List.of(attention.query(), attention.key(), attention.value(), attention.output(), feedForward.gate(), feedForward.up(), feedForward.down())) {
        bytes += linear.matrix().bytes();
      }
    }
    return bytes;
  }
}
