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

  /** Decodes weights that are scale × q - minimum. @param from where the scales are, with the factors of scales and of minima before them */
  static void decode(byte[] in, int from, Quants quants, float[] out, int to) {
    float scale = Half.get(in, from - 2 * Half.BYTES);
    float minimum = Half.get(in, from - Half.BYTES);
    for (int group = 0; group < 8; group++) {
      float groupScale = scale * scale(in, from, group);
      float groupMinimum = minimum * minimum(in, from, group);
      for (int i = 0; i < 32; i++) {
        out[to + 32 * group + i] = groupScale * quants.get(group, i) - groupMinimum;
      }
    }
  }

  /** The integers of a block. */
  @FunctionalInterface
  interface Quants {
    int get(int group, int i);
  }

  static int scale(byte[] in, int from, int group) {
    return group < 4 ? in[from + group] & 63 : in[from + 4 + group] & 15 | (in[from + group - 4] >> 6 & 3) << 4;
  }

  static int minimum(byte[] in, int from, int group) {
    return group < 4 ? in[from + 4 + group] & 63 : in[from + 4 + group] >> 4 & 15 | (in[from + group] >> 6 & 3) << 4;
  }
}
