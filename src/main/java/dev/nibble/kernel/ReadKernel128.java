// Printed from src/main/templates/kernel/ReadKernel.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** Reads memory by vectors of 128 bits, and does as little with it as keeps a compiler from leaving the loads out. */
final class ReadKernel128 {
  private ReadKernel128() {}

  /** Sum of all ints of some pieces. Four sums, so that an addition never waits for the one before. */
  static int sum(MemorySegment memory, int from, int to) {
    IntVector a = IntVector.zero(Lanes128.INTS);
    IntVector b = a;
    IntVector c = a;
    IntVector d = a;
    for (int piece = from; piece < to; piece++) {
      long at = (long) piece * KernelProvider.PIECE_BYTES;
      for (int i = 0; i < KernelProvider.PIECE_BYTES; i += 4 * 16) {
        a = a.add(IntVector.fromMemorySegment(Lanes128.INTS, memory, at, LITTLE_ENDIAN));
        b = b.add(IntVector.fromMemorySegment(Lanes128.INTS, memory, at + 16, LITTLE_ENDIAN));
        c = c.add(IntVector.fromMemorySegment(Lanes128.INTS, memory, at + 2 * 16, LITTLE_ENDIAN));
        d = d.add(IntVector.fromMemorySegment(Lanes128.INTS, memory, at + 3 * 16, LITTLE_ENDIAN));
        at += 4 * 16;
      }
    }
    return a.add(b).add(c.add(d)).reduceLanes(VectorOperators.ADD);
  }
}
