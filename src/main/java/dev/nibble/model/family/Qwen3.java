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

/** Qwen 3 (Yang et al. 2025): a Llama whose heads of queries and keys are normalised, and rotated by halves. */
final class Qwen3 implements Family {
  @Override
  public String architecture() {
    return "qwen3";
  }

  @Override
  public List<String> huggingFaceClasses() {
    return List.of("Qwen3ForCausalLM");
  }

  @Override
  public DecoderSpec spec(Hyperparameters given) throws InvalidModelException {
    return given.uniform(new LayerSpec(
        given.attention(RopePairs.HALVES, new RopeScaling.Linear(given.linearRopeFactor())).withQueryKeyNorm(given.norm()), given.gated(Activation.SILU),
        given.norm()));
  }

  @Override
  public Map<String, GgufValue> metadata(HuggingFaceConfig config) throws InvalidModelException {
    config.requireActivation("silu");
    config.requireNoWindow();
    return Map.of();
  }

  @Override
  public List<TensorSpec> tensors(DecoderSpec spec) {
    return new TensorList(spec).biases(TensorList.Biases.OPTIONAL, TensorList.Biases.OPTIONAL).list();
  }
}
