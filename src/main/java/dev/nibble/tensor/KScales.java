package dev.nibble.tensor;

/**
 * The scales of Q4_K and Q5_K: of each 32 weights a 6-bit scale and a 6-bit minimum, in 12 bytes. Groups g of 0 to 3 have their scale in the low six bits of
 * byte g, their minimum in those of byte 4 + g. Groups 4 + g have the low four bits in byte 8 + g (scale in the low half), the high two in the high bits of
 * bytes g and 4 + g.
 */
final class KScales {
  /** Bytes of the scales and minima of 256 weights. */
  static final int BYTES = 12;

  private KScales() {}

  static int scale(byte[] in, int from, int group) {
    return group < 4 ? in[from + group] & 63 : in[from + 4 + group] & 15 | (in[from + group - 4] >> 6 & 3) << 4;
  }

  static int minimum(byte[] in, int from, int group) {
    return group < 4 ? in[from + 4 + group] & 63 : in[from + 4 + group] >> 4 & 15 | (in[from + group] >> 6 & 3) << 4;
  }
}
