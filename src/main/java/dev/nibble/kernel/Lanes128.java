// Printed from src/main/templates/kernel/Lanes.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/** As {@link Lanes256}, for vectors of 128 bits. Element-wise passes use no others: 4 vectors of 4 floats are the 16 partial sums of a reduction. */
final class Lanes128 {
  /** 8 shorts. */
  static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_128;
  /** 4 shorts, to be widened. */
  static final VectorSpecies<Short> HALF_SHORTS = ShortVector.SPECIES_64;
  /** 8 bytes, the first 4 of which are widened: there is no shorter vector. */
  static final VectorSpecies<Byte> BYTES = ByteVector.SPECIES_64;
  /** 4 ints. */
  static final VectorSpecies<Integer> INTS = IntVector.SPECIES_128;
  /** 4 floats. */
  static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_128;
  /** Swaps lanes 2i and 2i + 1. */
  static final VectorShuffle<Float> NEIGHBOURS = VectorShuffle.fromValues(FloatVector.SPECIES_128, 1, 0, 3, 2);
  /** Keeps all lanes but the first. */
  static final int[] NOT_FIRST = {0, -1, -1, -1};

  private Lanes128() {}
}
