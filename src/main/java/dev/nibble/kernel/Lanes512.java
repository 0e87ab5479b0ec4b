// Printed from src/main/templates/kernel/Lanes.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorSpecies;

/** As {@link Lanes256}, for vectors of 512 bits: a vector holds a whole tile's rows. */
final class Lanes512 {
  /** 32 shorts. */
  static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_512;
  /** 16 shorts, to be widened. */
  static final VectorSpecies<Short> HALF_SHORTS = ShortVector.SPECIES_256;
  /** 16 bytes, to be widened. */
  static final VectorSpecies<Byte> BYTES = ByteVector.SPECIES_128;
  /** 16 ints. */
  static final VectorSpecies<Integer> INTS = IntVector.SPECIES_512;
  /** 16 floats. */
  static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_512;

  private Lanes512() {}
}
