package dev.nibble.model;

import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.model.spec.RopePairs;
import dev.nibble.tensor.TensorFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** A tiny model of random weights, as a GGUF file, and its forward pass written out in double precision. */
final class TinyDecoder {
  static final int WIDTH = 64;
  static final int HEADS = 4;
  static final int HEAD_WIDTH = WIDTH / HEADS;
  static final int VOCABULARY = 40;
  static final int CONTEXT = 128;
  private static final int HIDDEN = 96;
  private static final int LAYERS = 2;
  private static final int KEY_VALUE_HEADS = 2;
  private static final int KEY_VALUE_WIDTH = KEY_VALUE_HEADS * HEAD_WIDTH;
  private static final double EPSILON = 1e-6;

  private final Random random = new Random(5);
  private final Map<String, float[]> tensors = new HashMap<>();
  private final GgufWriter writer = new GgufWriter();
  private final RopePairs pairs;
  private final double ropeBase;
  private final boolean biases;

  TinyDecoder(String architecture, RopePairs pairs, double ropeBase, boolean biases) {
    this.pairs = pairs;
    this.ropeBase = ropeBase;
    this.biases = biases;
    writer.metadata("general.architecture", GgufValue.text(architecture))
        .metadata(architecture + ".block_count", GgufValue.uint32(LAYERS))
        .metadata(architecture + ".context_length", GgufValue.uint32(CONTEXT))
        .metadata(architecture + ".embedding_length", GgufValue.uint32(WIDTH))
        .metadata(architecture + ".feed_forward_length", GgufValue.uint32(HIDDEN))
        .metadata(architecture + ".attention.head_count", GgufValue.uint32(HEADS))
        .metadata(architecture + ".attention.head_count_kv", GgufValue.uint32(KEY_VALUE_HEADS))
        .metadata(architecture + ".attention.layer_norm_rms_epsilon", GgufValue.float32((float) EPSILON))
        .metadata(architecture + ".rope.freq_base", GgufValue.float32((float) ropeBase));
  }

  TinyDecoder metadata(String key, GgufValue value) {
    writer.metadata(key, value);
    return this;
  }

  /** One more vector than the model has. */
  TinyDecoder vector(String name, float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return tensor(name, TensorFormat.F32, bytes, values.length);
  }

  TinyDecoder tensor(String name, TensorFormat format, ByteBuffer bytes, long... shape) {
    writer.tensor(name, shape, format, channel -> channel.write(bytes.rewind()));
    return this;
  }

  private void tensor(String name, double deviation, double mean, int... shape) {
    float[] values = new float[Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
    ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (mean + deviation * random.nextGaussian());
      bytes.putFloat(values[i]);
    }
    tensors.put(name, values);
    tensor(name, TensorFormat.F32, bytes, Arrays.stream(shape).mapToLong(i -> i).toArray());
  }

  /** The file; to be called once. */
  byte[] bytes() throws IOException {
    tensor("token_embd.weight", 0.5, 0, WIDTH, VOCABULARY);
    for (int i = 0; i < LAYERS; i++) {
      String block = "blk." + i + ".";
      tensor(block + "attn_norm.weight", 0.1, 1, WIDTH);
      tensor(block + "attn_q.weight", 0.15, 0, WIDTH, WIDTH);
      tensor(block + "attn_k.weight", 0.15, 0, WIDTH, KEY_VALUE_WIDTH);
      tensor(block + "attn_v.weight", 0.15, 0, WIDTH, KEY_VALUE_WIDTH);
      if (biases) {
        tensor(block + "attn_q.bias", 0.5, 0, WIDTH);
        tensor(block + "attn_k.bias", 0.5, 0, KEY_VALUE_WIDTH);
        tensor(block + "attn_v.bias", 0.5, 0, KEY_VALUE_WIDTH);
      }
      tensor(block + "attn_output.weight", 0.15, 0, WIDTH, WIDTH);
      tensor(block + "ffn_norm.weight", 0.1, 1, WIDTH);
      tensor(block + "ffn_gate.weight", 0.15, 0, WIDTH, HIDDEN);
      tensor(block + "ffn_up.weight", 0.15, 0, WIDTH, HIDDEN);
      tensor(block + "ffn_down.weight", 0.15, 0, HIDDEN, WIDTH);
    }
    tensor("output_norm.weight", 0.1, 1, WIDTH);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    writer.write(Channels.newChannel(out));
    return out.toByteArray();
  }

  /** The file; to be called once. */
  GgufFile file() throws IOException {
    return GgufFile.of(MemorySegment.ofArray(bytes()), "tiny-model");
  }

  /** Some text for it. */
  static int[] ids(int tokens) {
    int[] ids = new int[tokens];
    for (int i = 0; i < tokens; i++) {
      ids[i] = (7 * i + i * i) % VOCABULARY;
    }
    return ids;
  }

  // The forward pass, all tokens at once, one row a token.

  /**
   * Logits after the last token.
   *
   * @param divisors of the frequencies of RoPE, one a pair of channels
   */
  double[] forward(int[] ids, double... divisors) {
    List<double[]> residual = new ArrayList<>();
    for (int id : ids) {
      residual.add(times(new double[] {1}, slice("token_embd.weight", id * WIDTH, WIDTH), new float[WIDTH]));
    }
    for (int layer = 0; layer < LAYERS; layer++) {
      String block = "blk." + layer + ".";
      List<double[]> keys = new ArrayList<>();
      List<double[]> values = new ArrayList<>();
      for (int position = 0; position < ids.length; position++) {
        double[] x = residual.get(position);
        double[] normed = norm(x, tensors.get(block + "attn_norm.weight"));
        double[] query = rotate(times(normed, tensors.get(block + "attn_q.weight"), bias(block + "attn_q.bias", WIDTH)), position, divisors);
        keys.add(rotate(times(normed, tensors.get(block + "attn_k.weight"), bias(block + "attn_k.bias", KEY_VALUE_WIDTH)), position, divisors));
        values.add(times(normed, tensors.get(block + "attn_v.weight"), bias(block + "attn_v.bias", KEY_VALUE_WIDTH)));
        add(x, times(attend(query, keys, values), tensors.get(block + "attn_output.weight"), new float[WIDTH]));
        normed = norm(x, tensors.get(block + "ffn_norm.weight"));
        double[] gate = times(normed, tensors.get(block + "ffn_gate.weight"), new float[HIDDEN]);
        double[] up = times(normed, tensors.get(block + "ffn_up.weight"), new float[HIDDEN]);
        for (int i = 0; i < HIDDEN; i++) {
          up[i] *= gate[i] / (1 + Math.exp(-gate[i]));
        }
        add(x, times(up, tensors.get(block + "ffn_down.weight"), new float[WIDTH]));
      }
    }
    return times(norm(residual.getLast(), tensors.get("output_norm.weight")), tensors.get("token_embd.weight"), new float[VOCABULARY]);
  }

  private float[] bias(String name, int length) {
    return tensors.getOrDefault(name, new float[length]);
  }

  private float[] slice(String name, int from, int length) {
    return Arrays.copyOfRange(tensors.get(name), from, from + length);
  }

  /** Row of weights · x + bias, for each row. */
  private static double[] times(double[] x, float[] weights, float[] bias) {
    double[] out = new double[bias.length];
    for (int row = 0; row < out.length; row++) {
      out[row] = bias[row];
      for (int i = 0; i < x.length; i++) {
        out[row] += weights[row * x.length + i] * x[i];
      }
    }
    return out;
  }

  private static void add(double[] x, double[] added) {
    for (int i = 0; i < x.length; i++) {
      x[i] += added[i];
    }
  }

  private static double[] norm(double[] x, float[] weight) {
    double squares = 0;
    for (double value : x) {
      squares += value * value;
    }
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] = x[i] / Math.sqrt(squares / x.length + EPSILON) * weight[i];
    }
    return out;
  }

  private double[] rotate(double[] x, int position, double[] divisors) {
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int channel = i % HEAD_WIDTH;
      boolean first = pairs == RopePairs.HALVES ? channel < HEAD_WIDTH / 2 : channel % 2 == 0;
      int pair = pairs == RopePairs.HALVES ? channel % (HEAD_WIDTH / 2) : channel / 2;
      int apart = pairs == RopePairs.HALVES ? HEAD_WIDTH / 2 : 1;
      double angle = position * Math.pow(ropeBase, -2.0 * pair / HEAD_WIDTH) / divisors[pair];
      double partner = first ? -x[i + apart] : x[i - apart];
      out[i] = x[i] * Math.cos(angle) + partner * Math.sin(angle);
    }
    return out;
  }

  private static double[] attend(double[] query, List<double[]> keys, List<double[]> values) {
    double[] out = new double[WIDTH];
    for (int head = 0; head < HEADS; head++) {
      int shared = head / (HEADS / KEY_VALUE_HEADS) * HEAD_WIDTH;
      double sum = 0;
      double[] mixed = new double[HEAD_WIDTH];
      for (int t = 0; t < keys.size(); t++) {
        double score = 0;
        for (int i = 0; i < HEAD_WIDTH; i++) {
          score += query[head * HEAD_WIDTH + i] * keys.get(t)[shared + i];
        }
        double weight = Math.exp(score / Math.sqrt(HEAD_WIDTH));
        sum += weight;
        for (int i = 0; i < HEAD_WIDTH; i++) {
          mixed[i] += weight * values.get(t)[shared + i];
        }
      }
      for (int i = 0; i < HEAD_WIDTH; i++) {
        out[head * HEAD_WIDTH + i] = mixed[i] / sum;
      }
    }
    return out;
  }
}
