package dev.nibble.model.block;

import dev.nibble.model.spec.Norm;

/**
 * A root mean square norm with its weights.
 *
 * @param weight for each channel
 */
public record Normalization(float[] weight, float epsilon) {
  /** A norm of a spec with these weights. */
  public static Normalization of(Norm norm, float[] weight) {
    return switch (norm) {
      case Norm.Rms rms -> new Normalization(weight, rms.epsilon());
    };
  }
}
