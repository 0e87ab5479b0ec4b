package dev.nibble.model.family;

import dev.nibble.format.gguf.GgufValue;
import dev.nibble.model.spec.Activation;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.model.spec.LayerSpec;
import dev.nibble.model.spec.RopePairs;
import dev.nibble.model.spec.RopeScaling;
import java.util.List;
import java.util.Map;

/** Llama 1 to 3.x (Touvron et al. 2023; Grattafiori et al. 2024), and what has the same parts: SmolLM2, TinyLlama, Mistral 7B with its window. */
final class Llama implements Family {
  @Override
  public String architecture() {
    return "llama";
  }

  @Override
  public List<String> huggingFaceClasses() {
    return List.of("LlamaForCausalLM", "MistralForCausalLM");
  }

  @Override
  public DecoderSpec spec(Hyperparameters given) throws InvalidModelException {
    return given.uniform(new LayerSpec(
        given.attention(RopePairs.ADJACENT, new RopeScaling.Factors(given.linearRopeFactor())), given.gated(Activation.SILU), given.norm()));
  }

  @Override
  public Map<String, GgufValue> metadata(HuggingFaceConfig config) throws InvalidModelException {
    config.requireActivation("silu");
    // Mistral's; transformers ignores the key for other classes.
    boolean windowed = config.isClass("MistralForCausalLM") && config.has("sliding_window");
    return windowed ? Map.of("llama.attention.sliding_window", GgufValue.uint32(config.whole("sliding_window"))) : Map.of();
  }

  @Override
  public List<TensorSpec> tensors(DecoderSpec spec) {
    return new TensorList(spec).biases(TensorList.Biases.OPTIONAL, TensorList.Biases.OPTIONAL).list();
  }
}
