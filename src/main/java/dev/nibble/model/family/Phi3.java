package dev.nibble.model.family;

import dev.nibble.format.gguf.GgufValue;
import dev.nibble.model.spec.Activation;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.model.spec.LayerSpec;
import dev.nibble.model.spec.RopePairs;
import java.util.List;
import java.util.Map;

/** Phi-3 and 4 mini (Abdin et al. 2024): a Llama with joined matrices, and LongRoPE for long contexts. */
final class Phi3 implements Family {
  @Override
  public String architecture() {
    return "phi3";
  }

  @Override
  public List<String> huggingFaceClasses() {
    return List.of("Phi3ForCausalLM");
  }

  @Override
  public DecoderSpec spec(Hyperparameters given) throws InvalidModelException {
    return given.uniform(new LayerSpec(given.attention(RopePairs.HALVES, given.longRope()), given.gated(Activation.SILU), given.norm()));
  }

  @Override
  public Map<String, GgufValue> metadata(HuggingFaceConfig config) throws InvalidModelException {
    config.requireActivation("silu");
    return config.has("sliding_window") ? Map.of("phi3.attention.sliding_window", GgufValue.uint32(config.whole("sliding_window"))) : Map.of();
  }

  @Override
  public List<TensorSpec> tensors(DecoderSpec spec) {
    return new TensorList(spec).joined().list();
  }
}
