package dev.nibble.tensor;

/** Pairs of bits as Q2_K, Q3_K, Q6_K and TQ2_0 keep them: of each half of 128 numbers, numbers 32 k + i (k of 0 to 3) share byte i. */
final class TwoBits {
  private TwoBits() {}

  static int get(byte[] in, int from, int i) {
    return in[from + place(i)] >> shift(i) & 3;
  }

  static int place(int i) {
    return i / 128 * 32 + i % 32;
  }

  static int shift(int i) {
    return i % 128 / 32 * 2;
  }
}
