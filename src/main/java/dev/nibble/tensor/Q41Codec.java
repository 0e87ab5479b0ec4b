package dev.nibble.tensor;

/**
 * Q4_1, 5 bits a weight. 32 weights in 20 bytes:
 *
 * <pre>
 *  0  2  d, binary16
 *  2  2  m, binary16
 *  4 16  byte j holds q of weight j in its low half, of weight 16 + j in its high half
 * </pre>
 *
 * w = d q + m.
 */
final class Q41Codec implements BlockEncoder, AffineCodec {
  private static final int MINIMUM = Half.BYTES;
  private static final int QUANTS = MINIMUM + Half.BYTES;
  private static final int PAIRS = 16;

  @Override
  public TensorFormat format() {
    return TensorFormat.Q4_1;
  }

  @Override
  public int blockBytes() {
    return QUANTS + PAIRS;
  }

  @Override
  public void decodeBlock(byte[] in, int at, float[] out, int to) {
    float scale = Half.get(in, at);
    float minimum = Half.get(in, at + MINIMUM);
    for (int j = 0; j < PAIRS; j++) {
      int pair = in[at + QUANTS + j];
      out[to + j] = (pair & 15) * scale + minimum;
      out[to + PAIRS + j] = (pair >> 4 & 15) * scale + minimum;
    }
  }

  @Override
  public void split(byte[] in, int at, AffineRow row, int first) {
    row.scales[first / AffineRow.GROUP] = Half.bits(in, at);
    row.minimums[first / AffineRow.GROUP] = Half.bits(in, at + MINIMUM);
    for (int j = 0; j < PAIRS; j += Long.BYTES) {
      long pairs = EightBytes.get(in, at + QUANTS + j);
      EightBytes.set(row.nibbles, first + j, pairs & EightBytes.NIBBLES);
      EightBytes.set(row.nibbles, first + PAIRS + j, pairs >>> 4 & EightBytes.NIBBLES);
    }
  }

  @Override
  public void encodeBlock(float[] weights, int at, byte[] out, int to) {
    float minimum = Rounding.minimum(weights, at, 2 * PAIRS);
    float scale = (Rounding.maximum(weights, at, 2 * PAIRS) - minimum) / 15f;
    float inverse = Rounding.inverse(scale);
    int extreme = Rounding.largest(weights, at, 2 * PAIRS);
    Half.putScale(out, to, scale, weights, extreme, TensorFormat.Q4_1);
    Half.putScale(out, to + MINIMUM, minimum, weights, extreme, TensorFormat.Q4_1);
    for (int j = 0; j < PAIRS; j++) {
      int low = Math.min(15, (int) ((weights[at + j] - minimum) * inverse + 0.5f));
      int high = Math.min(15, (int) ((weights[at + PAIRS + j] - minimum) * inverse + 0.5f));
      out[to + QUANTS + j] = (byte) (low | high << 4);
    }
  }
}
