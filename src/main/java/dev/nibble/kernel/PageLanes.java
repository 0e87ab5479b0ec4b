package dev.nibble.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/** Vector species of the page kernels; nothing else may stand here, as in {@link Lanes}. */
final class PageLanes {
  static final VectorSpecies<Integer> INTS_256 = IntVector.SPECIES_256;
  static final VectorSpecies<Float> FLOATS_256 = FloatVector.SPECIES_256;
  static final VectorSpecies<Integer> INTS_128 = IntVector.SPECIES_128;
  static final VectorSpecies<Float> FLOATS_128 = FloatVector.SPECIES_128;

  private PageLanes() {}
}
