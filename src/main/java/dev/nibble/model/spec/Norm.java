package dev.nibble.model.spec;

/** How a vector is normalised; the weights are a tensor of the model's. */
public sealed interface Norm {
  /**
   * Root mean square norm (Zhang and Sennrich 2019): x / sqrt(mean(x²) + epsilon) × weight. Weights that a checkpoint stores less one, as Gemma's do, have it
   * added when they are read or converted.
   */
  record Rms(float epsilon) implements Norm {}
}
