package dev.nibble.tensor;

/**
 * Q8_0, 8.5 bits a weight. 32 weights in 34 bytes:
 *
 * <pre>
 *  0  2  d, binary16
 *  2 32  q, signed
 * </pre>
 *
 * w = d q.
 */
final class Q80Codec implements BlockEncoder, IntegerCodec {
  private static final int QUANTS = Half.BYTES;
  private static final int WEIGHTS = 32;

  @Override
  public TensorFormat format() {
    return TensorFormat.Q8_0;
  }

  @Override
  public int blockBytes() {
    return QUANTS + WEIGHTS;
  }

  @Override
  public void decodeBlock(byte[] in, int at, float[] out, int to) {
    float scale = Half.get(in, at);
    for (int j = 0; j < WEIGHTS; j++) {
      out[to + j] = in[at + QUANTS + j] * scale;
    }
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, WEIGHTS, Half.bits(in, at));
    for (int j = 0; j < WEIGHTS; j += Long.BYTES) {
      EightBytes.set(row.weights, first + j, EightBytes.get(in, at + QUANTS + j));
    }
  }

  @Override
  public void encodeBlock(float[] weights, int at, byte[] out, int to) {
    int extreme = Rounding.largest(weights, at, WEIGHTS);
    float scale = Math.abs(weights[extreme]) / 127f;
    float inverse = Rounding.inverse(scale);
    Half.putScale(out, to, scale, weights, extreme, TensorFormat.Q8_0);
    for (int j = 0; j < WEIGHTS; j++) {
      out[to + QUANTS + j] = (byte) Rounding.halfAway(weights[at + j] * inverse);
    }
  }
}
