package dev.nibble.model.family;

import dev.nibble.format.gguf.GgufValue;
import dev.nibble.model.spec.Activation;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.model.spec.LayerSpec;
import dev.nibble.model.spec.RopePairs;
import dev.nibble.model.spec.RopeScaling;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * Gemma (2024): embeddings scaled by the root of their width, a GELU gate, a tied head. Checkpoints store weights of norms less one; GGUF files store them whole.
 */
final class Gemma implements Family {
  @Override
  public String architecture() {
    return "gemma";
  }

  @Override
  public List<String> huggingFaceClasses() {
    return List.of("GemmaForCausalLM");
  }

  @Override
  public DecoderSpec spec(Hyperparameters given) throws InvalidModelException {
    LayerSpec layer = new LayerSpec(
        given.attention(RopePairs.HALVES, new RopeScaling.Linear(given.linearRopeFactor())), given.gated(Activation.GELU_TANH), given.norm());
    return given.decoder(Collections.nCopies(given.layers(), layer), (float) Math.sqrt(given.width()), 0);
  }

  @Override
  public Map<String, GgufValue> metadata(HuggingFaceConfig config) throws InvalidModelException {
    config.requireActivation("gelu_pytorch_tanh", "gelu"); // the first checkpoints say the second, and mean the first
    return Map.of();
  }

  @Override
  public List<TensorSpec> tensors(DecoderSpec spec) {
    return new TensorList(spec).normsLessOne().list();
  }
}
