package dev.nibble.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorSpecies;

/** Vector species of the kernels. Nothing else stands here: native image keeps them constant only if this class's initialiser does nothing more. */
final class Lanes {
  /** 16 shorts: one for each row of a tile. */
  static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_256;
  /** 8 ints. */
  static final VectorSpecies<Integer> INTS = IntVector.SPECIES_256;
  /** 8 floats. */
  static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_256;

  private Lanes() {}
}
