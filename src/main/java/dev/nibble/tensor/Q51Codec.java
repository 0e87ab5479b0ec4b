package dev.nibble.tensor;

/**
 * Q5_1, 6 bits a weight. 32 weights in 24 bytes:
 *
 * <pre>
 *  0  2  d, binary16
 *  2  2  m, binary16
 *  4  4  bit j is the fifth bit of weight j's q
 *  8 16  byte j holds the low four bits of weight j's q in its low half, of weight 16 + j's in its high half
 * </pre>
 *
 * w = d q + m.
 */
final class Q51Codec implements BlockEncoder {
  private static final int MINIMUM = Half.BYTES;
  private static final int HIGH = MINIMUM + Half.BYTES;
  private static final int QUANTS = HIGH + Integer.BYTES;
  private static final int WEIGHTS = 32;

  @Override
  public TensorFormat format() {
    return TensorFormat.Q5_1;
  }

  @Override
  public int blockBytes() {
    return QUANTS + WEIGHTS / 2;
  }

  @Override
  public void decodeBlock(byte[] in, int at, float[] out, int to) {
    float scale = Half.get(in, at);
    float minimum = Half.get(in, at + MINIMUM);
    for (int j = 0; j < WEIGHTS; j++) {
      out[to + j] = FiveBits.get(in, at + HIGH, at + QUANTS, j) * scale + minimum;
    }
  }

  @Override
  public void encodeBlock(float[] weights, int at, byte[] out, int to) {
    float minimum = Rounding.minimum(weights, at, WEIGHTS);
    float scale = (Rounding.maximum(weights, at, WEIGHTS) - minimum) / 31f;
    float inverse = Rounding.inverse(scale);
    int extreme = Rounding.largest(weights, at, WEIGHTS);
    Half.putScale(out, to, scale, weights, extreme, TensorFormat.Q5_1);
    Half.putScale(out, to + MINIMUM, minimum, weights, extreme, TensorFormat.Q5_1);
    FiveBits.clear(out, to + HIGH, to + QUANTS);
    for (int j = 0; j < WEIGHTS; j++) {
      FiveBits.put(out, to + HIGH, to + QUANTS, j, Math.min(31, (int) ((weights[at + j] - minimum) * inverse + 0.5f)));
    }
  }
}
