package dev.nibble.tensor;

/**
 * Q5_0, 5.5 bits a weight. 32 weights in 22 bytes:
 *
 * <pre>
 *  0  2  d, binary16
 *  2  4  bit j is the fifth bit of weight j's q
 *  6 16  byte j holds the low four bits of weight j's q in its low half, of weight 16 + j's in its high half
 * </pre>
 *
 * w = d (q - 16).
 */
final class Q50Codec extends IntegerBlocks implements BlockEncoder {
  private static final int HIGH = Half.BYTES;
  private static final int QUANTS = HIGH + Integer.BYTES;
  private static final int PAIRS = 16;
  private static final int OFFSET = 16;

  Q50Codec() {
    super(TensorFormat.Q5_0, QUANTS + PAIRS);
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, 2 * PAIRS, Half.bits(in, at));
    for (int j = 0; j < 2 * PAIRS; j += Long.BYTES) {
      long low = EightBytes.get(in, at + QUANTS + j % PAIRS) >>> j / PAIRS * 4 & EightBytes.NIBBLES;
      EightBytes.set(row.weights, first + j, EightBytes.less(low | EightBytes.fifthBits(in[at + HIGH + j / 8] & 0xff), OFFSET));
    }
  }

  @Override
  public void encodeBlock(float[] weights, int at, byte[] out, int to) {
    int extreme = Rounding.largest(weights, at, 2 * PAIRS);
    float scale = weights[extreme] / -16f;
    float inverse = Rounding.inverse(scale);
    Half.putScale(out, to, scale, weights, extreme, TensorFormat.Q5_0);
    FiveBits.clear(out, to + HIGH, to + QUANTS);
    for (int j = 0; j < 2 * PAIRS; j++) {
      FiveBits.put(out, to + HIGH, to + QUANTS, j, Math.min(31, (int) (weights[at + j] * inverse + 16.5f)));
    }
  }
}
