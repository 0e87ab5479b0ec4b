package dev.nibble.model.family;

import dev.nibble.model.spec.Activation;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.model.spec.LayerSpec;
import dev.nibble.model.spec.RopePairs;
import dev.nibble.model.spec.RopeScaling;
import java.util.List;

/** A family that nobody else has heard of, of known parts: what a new architecture takes is this file. */
final class Nimbus implements Family {
  @Override
  public String architecture() {
    return "nimbus";
  }

  @Override
  public List<String> huggingFaceClasses() {
    return List.of("NimbusForCausalLM");
  }

  @Override
  public DecoderSpec spec(Hyperparameters given) throws InvalidModelException {
    return given.uniform(new LayerSpec(
        given.attention(RopePairs.HALVES, RopeScaling.NONE).withQueryKeyNorm(given.norm()), given.gated(Activation.SILU), given.norm()));
  }

  @Override
  public List<TensorSpec> tensors(DecoderSpec spec) {
    return new TensorList(spec).list();
  }
}
