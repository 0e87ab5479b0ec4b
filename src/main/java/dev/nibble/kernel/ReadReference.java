package dev.nibble.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Reads memory by plain loops, as {@link ReadKernel256} does by vectors. */
final class ReadReference {
  /** Copies of this size stay in the first-level cache. */
  private static final int COPY_LONGS = 2048;

  private ReadReference() {}

  /** A number that is 0 where all is zero. By copies, as a single value read from native memory costs far more than its eight bytes in some native images. */
  static int sum(MemorySegment memory, int from, int to) {
    long[] copy = new long[COPY_LONGS];
    long a = 0;
    long b = 0;
    long end = (long) to * KernelProvider.PIECE_BYTES;
    for (long at = (long) from * KernelProvider.PIECE_BYTES; at < end; at += COPY_LONGS * Long.BYTES) {
      MemorySegment.copy(memory, ValueLayout.JAVA_LONG, at, copy, 0, COPY_LONGS);
      for (int i = 0; i < COPY_LONGS; i += 2) {
        a += copy[i];
        b += copy[i + 1];
      }
    }
    return Long.hashCode(a + b);
  }
}
