package dev.nibble.kernel;

import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/** Vector species of {@link ReadKernel}. Nothing else stands here, for the reason {@link Lanes256} gives. */
final class ReadLanes {
  static final VectorSpecies<Integer> WIDE = IntVector.SPECIES_256;
  static final VectorSpecies<Integer> NARROW = IntVector.SPECIES_128;

  private ReadLanes() {}
}
