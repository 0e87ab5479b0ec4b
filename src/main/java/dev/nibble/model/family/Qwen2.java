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

/** Qwen 2 and 2.5 (Yang et al. 2024): a Llama whose queries, keys and values have biases, and whose heads are rotated by halves. */
final class Qwen2 implements Family {
  @Override
  public String architecture() {
    return "qwen2";
  }

  @Override
  public List<String> huggingFaceClasses() {
    return List.of("Qwen2ForCausalLM");
  }

  @Override
  public DecoderSpec spec(Hyperparameters given) throws InvalidModelException {
    return given.uniform(new LayerSpec(
        given.attention(RopePairs.HALVES, new RopeScaling.Linear(given.linearRopeFactor())), given.gated(Activation.SILU), given.norm()));
  }

  @Override
  public Map<String, GgufValue> metadata(HuggingFaceConfig config) throws InvalidModelException {
    config.requireActivation("silu");
    config.requireNoWindow();
    return Map.of();
  }

  @Override
  public List<TensorSpec> tensors(DecoderSpec spec) {
    return new TensorList(spec).biases(TensorList.Biases.REQUIRED, TensorList.Biases.NONE).list();
  }
}
