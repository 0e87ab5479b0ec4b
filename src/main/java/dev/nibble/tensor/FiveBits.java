package dev.nibble.tensor;

import java.util.Arrays;

/** The five-bit numbers of Q5_0 and Q5_1: four bytes of fifth bits, 16 bytes of pairs of nibbles. */
final class FiveBits {
  private static final int PAIRS = 16;

  private FiveBits() {}

  static int get(byte[] in, int high, int low, int j) {
    return in[low + j % PAIRS] >> 4 * (j / PAIRS) & 15 | (in[high + j / 8] >> j % 8 & 1) << 4;
  }

  static void clear(byte[] out, int high, int low) {
    Arrays.fill(out, high, high + Integer.BYTES, (byte) 0);
    Arrays.fill(out, low, low + PAIRS, (byte) 0);
  }

  /** Stores a number where zeros are. */
  static void put(byte[] out, int high, int low, int j, int value) {
    out[low + j % PAIRS] |= (byte) ((value & 15) << 4 * (j / PAIRS));
    out[high + j / 8] |= (byte) (value >> 4 << j % 8);
  }
}
