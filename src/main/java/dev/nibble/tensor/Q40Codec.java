package dev.nibble.tensor;

/**
 * Q4_0, 4.5 bits a weight. 32 weights in 18 bytes:
 *
 * <pre>
 *  0  2  d, binary16
 *  2 16  byte j holds q of weight j in its low half, of weight 16 + j in its high half
 * </pre>
 *
 * w = d (q - 8).
 */
final class Q40Codec implements BlockEncoder, IntegerCodec {
  private static final int QUANTS = Half.BYTES;
  private static final int PAIRS = 16;
  private static final int OFFSET = 8;

  @Override
  public TensorFormat format() {
    return TensorFormat.Q4_0;
  }

  @Override
  public int blockBytes() {
    return QUANTS + PAIRS;
  }

  @Override
  public void decodeBlock(byte[] in, int at, float[] out, int to) {
    float scale = Half.get(in, at);
    for (int j = 0; j < PAIRS; j++) {
      int pair = in[at + QUANTS + j];
      out[to + j] = ((pair & 15) - OFFSET) * scale;
      out[to + PAIRS + j] = ((pair >> 4 & 15) - OFFSET) * scale;
    }
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, 2 * PAIRS, Half.bits(in, at));
    for (int j = 0; j < PAIRS; j++) {
      int pair = in[at + QUANTS + j];
      row.weights[first + j] = (byte) ((pair & 15) - OFFSET);
      row.weights[first + PAIRS + j] = (byte) ((pair >> 4 & 15) - OFFSET);
    }
  }

  @Override
  public void encodeBlock(float[] weights, int at, byte[] out, int to) {
    int extreme = Rounding.largest(weights, at, 2 * PAIRS);
    // The weight of largest magnitude gets -8, the one code without a mirror image; its sign goes into the scale.
    float scale = weights[extreme] / -8f;
    float inverse = Rounding.inverse(scale);
    Half.putScale(out, to, scale, weights, extreme, TensorFormat.Q4_0);
    for (int j = 0; j < PAIRS; j++) {
      int low = Math.min(15, (int) (weights[at + j] * inverse + 8.5f));
      int high = Math.min(15, (int) (weights[at + PAIRS + j] * inverse + 8.5f));
      out[to + QUANTS + j] = (byte) (low | high << 4);
    }
  }
}
