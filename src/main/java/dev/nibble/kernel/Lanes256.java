// Printed from src/main/templates/kernel/Lanes.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorSpecies;

/** Vector species of the kernels. Nothing else stands here: native image keeps them constant only if this class's initialiser does nothing more. */
final class Lanes256 {
  /** 16 shorts. */
  static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_256;
  /** 8 shorts, to be widened. */
  static final VectorSpecies<Short> HALF_SHORTS = ShortVector.SPECIES_128;
  /** 8 bytes, to be widened. */
  static final VectorSpecies<Byte> BYTES = ByteVector.SPECIES_64;
  /** 8 ints. */
  static final VectorSpecies<Integer> INTS = IntVector.SPECIES_256;
  /** 8 floats. */
  static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_256;

  private Lanes256() {}
}
