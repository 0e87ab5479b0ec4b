package dev.nibble.tensor;

/** Signs of eight weights of the IQ formats, a set bit for a negative one. */
final class Signs {
  private Signs() {}

  /** Seven of them as they are; the eighth makes the number of negative weights even. */
  static int ofSeven(int bits) {
    int seven = bits & 127;
    return seven | (Integer.bitCount(seven) & 1) << 7;
  }

  /** What stands beside the points of 32 weights: four times seven signs, then four bits of their scale. */
  static int ofFour(byte[] in, int from) {
    return Half.bits(in, from) & 0xffff | Half.bits(in, from + 2) << 16;
  }

  static int apply(int signs, int i, int magnitude) {
    return (signs >> i & 1) == 0 ? magnitude : -magnitude;
  }
}
