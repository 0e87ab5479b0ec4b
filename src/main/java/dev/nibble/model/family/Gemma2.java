package dev.nibble.model.family;

import dev.nibble.format.gguf.GgufValue;
import dev.nibble.model.spec.Activation;
import dev.nibble.model.spec.AttentionSpec;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.FeedForwardSpec;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.model.spec.LayerSpec;
import dev.nibble.model.spec.Norm;
import dev.nibble.model.spec.RopePairs;
import dev.nibble.model.spec.RopeScaling;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Gemma 2 (2024): a Gemma with norms after attention and feed-forward too, capped scores and logits, and a window in every other layer. */
final class Gemma2 implements Family {
  private static final int PATTERN = 2;
  private static final int LAYERS_27B = 46;

  @Override
  public String architecture() {
    return "gemma2";
  }

  @Override
  public List<String> huggingFaceClasses() {
    return List.of("Gemma2ForCausalLM");
  }

  @Override
  public DecoderSpec spec(Hyperparameters given) throws InvalidModelException {
    AttentionSpec plain = given.attention(RopePairs.HALVES, new RopeScaling.Linear(given.linearRopeFactor()));
    // The largest model scales by its width a head, and older files do not say so.
    int scaled = given.layers() == LAYERS_27B ? given.width() / plain.heads() : plain.headWidth();
    AttentionSpec attention = plain.withScores(given.number("attention.scale", 1 / Math.sqrt(scaled)), given.number("attn_logit_softcapping", 50));
    FeedForwardSpec feedForward = given.gated(Activation.GELU_TANH);
    Norm norm = given.norm();
    boolean[] windowed = given.windowedLayers(PATTERN);
    List<LayerSpec> layers = new ArrayList<>();
    for (boolean window : windowed) {
      layers.add(new LayerSpec(window ? attention : attention.withWindow(0), feedForward, norm, Optional.of(norm), norm, Optional.of(norm)));
    }
    return given.decoder(layers, (float) Math.sqrt(given.width()), given.number("final_logit_softcapping", 30));
  }

  @Override
  public Map<String, GgufValue> metadata(HuggingFaceConfig config) throws InvalidModelException {
    config.requireActivation("gelu_pytorch_tanh");
    Map<String, GgufValue> metadata = new LinkedHashMap<>();
    metadata.put("gemma2.attention.sliding_window", GgufValue.uint32(config.whole("sliding_window")));
    metadata.put("gemma2.attention.sliding_window_pattern", GgufValue.bools(config.windowedLayers(PATTERN)));
    metadata.put("gemma2.attention.scale", GgufValue.float32((float) (1 / Math.sqrt(config.number("query_pre_attn_scalar")))));
    metadata.put("gemma2.attn_logit_softcapping", GgufValue.float32(config.has("attn_logit_softcapping") ? (float) config.number("attn_logit_softcapping") : 0));
    metadata.put("gemma2.final_logit_softcapping", GgufValue.float32(config.has("final_logit_softcapping") ? (float) config.number("final_logit_softcapping") : 0));
    return metadata;
  }

  @Override
  public List<TensorSpec> tensors(DecoderSpec spec) {
    return new TensorList(spec).normsLessOne().list();
  }
}
