package dev.nibble.tensor;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Eight bytes of an array in a long, the first one lowest: what takes blocks apart does eight weights at a time. */
final class EightBytes {
  /** Low halves. */
  static final long NIBBLES = 0x0f0f0f0f0f0f0f0fL;
  private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long ONES = 0x0101010101010101L;
  private static final long TOPS = 0x8080808080808080L;
  private static final long DIAGONAL = 0x8040201008040201L; // bit i of byte i

  private EightBytes() {}

  static long get(byte[] in, int at) {
    return (long) LONGS.get(in, at);
  }

  static void set(byte[] out, int at, long eight) {
    LONGS.set(out, at, eight);
  }

  /** Bytes less {@code offset}, both of 0 to 127: setting the top bits first keeps one byte from borrowing of the next, and is taken back. */
  static long less(long eight, int offset) {
    return (eight | TOPS) - offset * ONES ^ TOPS;
  }

  /** Bit i of {@code bits}, of 0 to 255, as bit 4 of byte i. */
  @SuppressWarnings("ConstantOverflow") // 127 in each byte: the sign's place is taken for a bit
  static long fifthBits(int bits) {
    // Each byte keeps its own bit; added to 127 it reaches the top bit.
    return ((bits * ONES & DIAGONAL) + (TOPS - ONES) & TOPS) >>> 3;
  }
}
