package dev.nibble.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * What element-wise passes compute with: 4 floats, which NEON has and x86 too, so that 4 vectors are the 16 partial sums of a reduction. Constants
 * and nothing else, as in {@link Lanes}.
 */
final class Lanes128 {
  /** 4 floats. */
  static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_128;
  /** Swaps lanes 2i and 2i + 1. */
  static final VectorShuffle<Float> NEIGHBOURS = VectorShuffle.fromValues(FloatVector.SPECIES_128, 1, 0, 3, 2);

  private Lanes128() {}
}
