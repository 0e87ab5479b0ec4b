package dev.nibble.tensor;

/**
 * NVFP4, 4.5 bits a weight: E2M1 with an E4M3 for 16. 64 weights in 36 bytes:
 *
 * <pre>
 *  0  4  x for each 16 weights, E4M3 whose sign does not count
 *  4 32  of each 16 weights, byte i of 8 holds the code of weight i in its low half, of weight 8 + i in its high half
 * </pre>
 *
 * w = E4M3(x) E2M1(code); 0 for x = 127, which would be NaN. A tensor has one more factor, which the file keeps apart from the blocks.
 */
final class Nvfp4Codec extends IntegerBlocks {
  private static final int QUANTS = 4;
  private static final int GROUP = 16;
  private static final int GROUP_BYTES = GROUP / 2;
  private static final int MAX_SHIFT = 3; // the mantissa, up to 15, times 8 is an int8

  Nvfp4Codec() {
    super(TensorFormat.NVFP4, QUANTS + 4 * GROUP_BYTES);
  }

  /** Without the leading bit where the exponent is 0. */
  private static int mantissa(int x) {
    if ((x & 0xff) == 0x7f) {
      return 0;
    }
    return exponentBits(x) == 0 ? x & 7 : x & 7 | 8;
  }

  private static int exponentBits(int x) {
    return x >> 3 & 15;
  }

  /** 1 and 0 stand for the same power of two; zeros have the least, so that they are never the larger one. */
  private static int exponent(int x) {
    return mantissa(x) == 0 ? 1 : Math.max(1, exponentBits(x));
  }

  /** Half of E4M3(x), as values are doubled. */
  @Override
  float scale(byte[] in, int at, int group) {
    int x = in[at + group];
    return Math.scalb((float) mantissa(x), exponent(x) - 11);
  }

  /** Two groups share a scale, of the larger one's exponent; the smaller one's mantissa is shifted, and rounded where that takes bits away. */
  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    for (int pair = 0; pair < 2; pair++) {
      int a = in[at + 2 * pair];
      int b = in[at + 2 * pair + 1];
      int exponent = Math.max(exponent(a), exponent(b));
      row.scale(first + 2 * GROUP * pair, 2 * GROUP, Half.of(Math.scalb(1f, exponent - 11 - MAX_SHIFT)));
      int factor = (first + 2 * GROUP * pair) / IntegerRow.FACTOR_WEIGHTS;
      row.factors[factor] = factor(a, exponent);
      row.factors[factor + 1] = factor(b, exponent);
    }
    for (int i = 0; i < 4 * GROUP; i++) {
      int code = in[at + QUANTS + i / GROUP * GROUP_BYTES + i % GROUP_BYTES] >> i % GROUP / GROUP_BYTES * 4;
      row.weights[first + i] = Fp4.doubled(code);
    }
  }

  private static byte factor(int x, int exponent) {
    return (byte) Math.rint(Math.scalb((double) mantissa(x), MAX_SHIFT - exponent + exponent(x)));
  }
}
