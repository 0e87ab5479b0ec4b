package dev.nibble.model.family;

import dev.nibble.format.gguf.GgufValue;
import dev.nibble.model.spec.Activation;
import dev.nibble.model.spec.AttentionSpec;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.FeedForwardSpec;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.model.spec.LayerSpec;
import dev.nibble.model.spec.Norm;
import dev.nibble.model.spec.Position;
import dev.nibble.model.spec.RopePairs;
import dev.nibble.model.spec.RopeScaling;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Gemma 3 (2025), its text part: a Gemma 2 without caps, with heads of queries and keys normalised, and a window in five of six layers, which have a RoPE of their
 * own.
 */
final class Gemma3 implements Family {
  private static final int PATTERN = 6;
  private static final int LAYERS_27B = 62;
  private static final double GLOBAL_BASE = 1_000_000;
  private static final double WINDOWED_BASE = 10_000;

  @Override
  public String architecture() {
    return "gemma3";
  }

  @Override
  public List<String> huggingFaceClasses() {
    return List.of("Gemma3ForCausalLM");
  }

  @Override
  public DecoderSpec spec(Hyperparameters given) throws InvalidModelException {
    AttentionSpec plain = given.attention(RopePairs.HALVES, new RopeScaling.Linear(given.linearRopeFactor())).withQueryKeyNorm(given.norm());
    int rotated = plain.headWidth();
    // The largest model scales by its width a head, and older files do not say so.
    int scaled = given.layers() == LAYERS_27B ? given.width() / plain.heads() : plain.headWidth();
    AttentionSpec attention = plain.withScores(given.number("attention.scale", 1 / Math.sqrt(scaled)), given.number("attn_logit_softcapping", 0));
    Position global = new Position.Rope(given.ropeBase("rope.freq_base", GLOBAL_BASE), rotated, RopePairs.HALVES, new RopeScaling.Linear(given.linearRopeFactor()));
    Position windowed = new Position.Rope(given.ropeBase("rope.freq_base_swa", WINDOWED_BASE), rotated, RopePairs.HALVES, RopeScaling.NONE);
    FeedForwardSpec feedForward = given.gated(Activation.GELU_TANH);
    Norm norm = given.norm();
    List<LayerSpec> layers = new ArrayList<>();
    for (boolean window : given.windowedLayers(PATTERN)) {
      layers.add(new LayerSpec(window ? attention.withPosition(windowed) : attention.withWindow(0).withPosition(global), feedForward, norm, Optional.of(norm), norm,
          Optional.of(norm)));
    }
    return given.decoder(layers, (float) Math.sqrt(given.width()), given.number("final_logit_softcapping", 0));
  }

  @Override
  public Map<String, GgufValue> metadata(HuggingFaceConfig config) throws InvalidModelException {
    config.requireActivation("gelu_pytorch_tanh");
    if (config.isSet("use_bidirectional_attention")) {
      throw config.unsupported("use_bidirectional_attention is set; only causal attention is supported");
    }
    Map<String, GgufValue> metadata = new LinkedHashMap<>();
    metadata.put("gemma3.attention.sliding_window", GgufValue.uint32(config.whole("sliding_window")));
    metadata.put("gemma3.attention.sliding_window_pattern", GgufValue.bools(config.windowedLayers(PATTERN)));
    metadata.put("gemma3.attention.scale", GgufValue.float32((float) (1 / Math.sqrt(config.number("query_pre_attn_scalar")))));
    metadata.put("gemma3.rope.freq_base_swa", GgufValue.float32(config.windowedRopeBase().orElse((float) WINDOWED_BASE)));
    if (config.has("final_logit_softcapping")) {
      metadata.put("gemma3.final_logit_softcapping", GgufValue.float32((float) config.number("final_logit_softcapping")));
    }
    if (config.has("attn_logit_softcapping")) {
      metadata.put("gemma3.attn_logit_softcapping", GgufValue.float32((float) config.number("attn_logit_softcapping")));
    }
    return metadata;
  }

  @Override
  public List<TensorSpec> tensors(DecoderSpec spec) {
    return new TensorList(spec).normsLessOne().list();
  }
}
