package dev.nibble.model.family;

import dev.nibble.model.spec.AttentionSpec;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.FeedForwardSpec;
import dev.nibble.model.spec.LayerSpec;
import dev.nibble.model.spec.Position;
import dev.nibble.model.spec.RopePairs;
import dev.nibble.model.spec.RopeScaling;
import java.util.ArrayList;
import java.util.List;

/**
 * The tensors of a decoder, told from its spec: the names that most families share in GGUF and in Hugging Face checkpoints. What a family does otherwise it says
 * before it asks for the list.
 */
public final class TensorList {
  /** Whether matrices have biases. */
  public enum Biases {
    NONE,
    OPTIONAL,
    REQUIRED
  }

  private static final TensorTransform SAME = new TensorTransform.Same();

  private final DecoderSpec spec;
  private final List<TensorSpec> tensors = new ArrayList<>();
  private Biases queryKeyValue = Biases.NONE;
  private Biases others = Biases.NONE;
  private TensorTransform norms = SAME;
  private boolean joined;

  public TensorList(DecoderSpec spec) {
    this.spec = spec;
  }

  /** @param queryKeyValue of queries, keys and values @param others of all other matrices in layers */
  public TensorList biases(Biases queryKeyValue, Biases others) {
    this.queryKeyValue = queryKeyValue;
    this.others = others;
    return this;
  }

  /** Checkpoints store the weights of norms less one. */
  public TensorList normsLessOne() {
    norms = new TensorTransform.PlusOne();
    return this;
  }

  /** Queries, keys and values are one matrix, and gate and up another. */
  public TensorList joined() {
    joined = true;
    return this;
  }

  /** All of them, in the order to write them. */
  public List<TensorSpec> list() {
    tensors.clear();
    int width = spec.width();
    matrix(TensorRole.TOKEN_EMBEDDING, TensorSpec.WHOLE_MODEL, spec.vocabulary(), width, "token_embd", "model.embed_tokens", SAME, false);
    for (int layer = 0; layer < spec.layers().size(); layer++) {
      layer(layer, spec.layers().get(layer));
    }
    vector(TensorRole.OUTPUT_NORM, TensorSpec.WHOLE_MODEL, width, "output_norm.weight", "model.norm.weight", norms, false);
    spec.positions().forEach(this::factors);
    matrix(TensorRole.OUTPUT, TensorSpec.WHOLE_MODEL, spec.vocabulary(), width, "output", "lm_head", SAME, true);
    return List.copyOf(tensors);
  }

  private void layer(int layer, LayerSpec block) {
    int width = spec.width();
    AttentionSpec attention = block.attention();
    String gguf = "blk." + layer + ".";
    String hub = "model.layers." + layer + ".";
    vector(TensorRole.ATTENTION_NORM, layer, width, gguf + "attn_norm.weight", hub + "input_layernorm.weight", norms, false);
    TensorTransform rotated = interleaved(attention) ? new TensorTransform.Interleave(attention.headWidth()) : SAME;
    if (joined) {
      matrix(TensorRole.QUERY_KEY_VALUE, layer, attention.queryWidth() + 2 * attention.keyValueWidth(), width, gguf + "attn_qkv", hub + "self_attn.qkv_proj", SAME, false);
    } else {
      biased(TensorRole.QUERY, TensorRole.QUERY_BIAS, queryKeyValue, layer, attention.queryWidth(), width, gguf + "attn_q", hub + "self_attn.q_proj", rotated);
      biased(TensorRole.KEY, TensorRole.KEY_BIAS, queryKeyValue, layer, attention.keyValueWidth(), width, gguf + "attn_k", hub + "self_attn.k_proj", rotated);
      biased(TensorRole.VALUE, TensorRole.VALUE_BIAS, queryKeyValue, layer, attention.keyValueWidth(), width, gguf + "attn_v", hub + "self_attn.v_proj", SAME);
    }
    if (attention.queryKeyNorm().isPresent()) {
      vector(TensorRole.QUERY_NORM, layer, attention.headWidth(), gguf + "attn_q_norm.weight", hub + "self_attn.q_norm.weight", norms, false);
      vector(TensorRole.KEY_NORM, layer, attention.headWidth(), gguf + "attn_k_norm.weight", hub + "self_attn.k_norm.weight", norms, false);
    }
    biased(TensorRole.ATTENTION_OUTPUT, TensorRole.ATTENTION_OUTPUT_BIAS, others, layer, width, attention.queryWidth(), gguf + "attn_output", hub + "self_attn.o_proj", SAME);
    boolean sandwich = block.afterAttention().isPresent();
    if (sandwich) {
      vector(TensorRole.AFTER_ATTENTION_NORM, layer, width, gguf + "post_attention_norm.weight", hub + "post_attention_layernorm.weight", norms, false);
    }
    vector(TensorRole.FEED_FORWARD_NORM, layer, width, gguf + "ffn_norm.weight", hub + (sandwich ? "pre_feedforward_layernorm" : "post_attention_layernorm") + ".weight", norms, false);
    switch (block.feedForward()) {
      case FeedForwardSpec.Gated gated -> gated(layer, gated, gguf, hub);
    }
    if (block.afterFeedForward().isPresent()) {
      vector(TensorRole.AFTER_FEED_FORWARD_NORM, layer, width, gguf + "post_ffw_norm.weight", hub + "post_feedforward_layernorm.weight", norms, false);
    }
  }

  private void gated(int layer, FeedForwardSpec.Gated gated, String gguf, String hub) {
    int width = spec.width();
    if (joined) {
      matrix(TensorRole.GATE_UP, layer, 2 * gated.hidden(), width, gguf + "ffn_up", hub + "mlp.gate_up_proj", SAME, false);
    } else {
      biased(TensorRole.GATE, TensorRole.GATE_BIAS, others, layer, gated.hidden(), width, gguf + "ffn_gate", hub + "mlp.gate_proj", SAME);
      biased(TensorRole.UP, TensorRole.UP_BIAS, others, layer, gated.hidden(), width, gguf + "ffn_up", hub + "mlp.up_proj", SAME);
    }
    biased(TensorRole.DOWN, TensorRole.DOWN_BIAS, others, layer, width, gated.hidden(), gguf + "ffn_down", hub + "mlp.down_proj", SAME);
  }

  private static boolean interleaved(AttentionSpec attention) {
    return switch (attention.position()) {
      case Position.Rope rope -> rope.pairs() == RopePairs.ADJACENT;
    };
  }

  private void factors(Position position) {
    switch (position) {
      case Position.Rope rope -> {
        int pairs = rope.width() / 2;
        switch (rope.scaling()) {
          case RopeScaling.Linear linear -> { }
          case RopeScaling.Factors factors -> vector(TensorRole.ROPE_FACTORS, TensorSpec.WHOLE_MODEL, pairs, "rope_freqs.weight", "", SAME, true);
          case RopeScaling.LongRope longRope -> {
            vector(TensorRole.ROPE_FACTORS_LONG, TensorSpec.WHOLE_MODEL, pairs, "rope_factors_long.weight", "", SAME, false);
            vector(TensorRole.ROPE_FACTORS_SHORT, TensorSpec.WHOLE_MODEL, pairs, "rope_factors_short.weight", "", SAME, false);
          }
        }
      }
    }
  }

  private void biased(
      TensorRole role, TensorRole bias, Biases biases, int layer, int rows, int columns, String gguf, String huggingFace, TensorTransform transform) {
    matrix(role, layer, rows, columns, gguf, huggingFace, transform, false);
    if (biases != Biases.NONE) {
      vector(bias, layer, rows, gguf + ".bias", huggingFace + ".bias", transform, biases == Biases.OPTIONAL);
    }
  }

  private void matrix(TensorRole role, int layer, int rows, int columns, String gguf, String huggingFace, TensorTransform transform, boolean optional) {
    tensors.add(new TensorSpec(role, layer, rows, columns, false, gguf + ".weight", huggingFace + ".weight", transform, optional));
  }

  private void vector(TensorRole role, int layer, int length, String gguf, String huggingFace, TensorTransform transform, boolean optional) {
    tensors.add(new TensorSpec(role, layer, 1, length, true, gguf, huggingFace, transform, optional));
  }
}
