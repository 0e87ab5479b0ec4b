package dev.nibble.kernel;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** The vector loops of {@link BandwidthCheck}, apart since there may be no Vector API. They return the sum of all ints of some pieces. */
final class ReadKernel {
  private ReadKernel() {}

  // Four sums each, so that an addition never waits for the one before.

  static int wide(MemorySegment memory, int from, int to) {
    IntVector a = IntVector.zero(ReadLanes.WIDE);
    IntVector b = a;
    IntVector c = a;
    IntVector d = a;
    for (int piece = from; piece < to; piece++) {
      long at = (long) piece * BandwidthCheck.PIECE_BYTES;
      for (int i = 0; i < BandwidthCheck.PIECE_BYTES; i += 128) {
        a = a.add(IntVector.fromMemorySegment(ReadLanes.WIDE, memory, at, ByteOrder.LITTLE_ENDIAN));
        b = b.add(IntVector.fromMemorySegment(ReadLanes.WIDE, memory, at + 32, ByteOrder.LITTLE_ENDIAN));
        c = c.add(IntVector.fromMemorySegment(ReadLanes.WIDE, memory, at + 64, ByteOrder.LITTLE_ENDIAN));
        d = d.add(IntVector.fromMemorySegment(ReadLanes.WIDE, memory, at + 96, ByteOrder.LITTLE_ENDIAN));
        at += 128;
      }
    }
    return a.add(b).add(c.add(d)).reduceLanes(VectorOperators.ADD);
  }

  static int narrow(MemorySegment memory, int from, int to) {
    IntVector a = IntVector.zero(ReadLanes.NARROW);
    IntVector b = a;
    IntVector c = a;
    IntVector d = a;
    for (int piece = from; piece < to; piece++) {
      long at = (long) piece * BandwidthCheck.PIECE_BYTES;
      for (int i = 0; i < BandwidthCheck.PIECE_BYTES; i += 64) {
        a = a.add(IntVector.fromMemorySegment(ReadLanes.NARROW, memory, at, ByteOrder.LITTLE_ENDIAN));
        b = b.add(IntVector.fromMemorySegment(ReadLanes.NARROW, memory, at + 16, ByteOrder.LITTLE_ENDIAN));
        c = c.add(IntVector.fromMemorySegment(ReadLanes.NARROW, memory, at + 32, ByteOrder.LITTLE_ENDIAN));
        d = d.add(IntVector.fromMemorySegment(ReadLanes.NARROW, memory, at + 48, ByteOrder.LITTLE_ENDIAN));
        at += 64;
      }
    }
    return a.add(b).add(c.add(d)).reduceLanes(VectorOperators.ADD);
  }
}
