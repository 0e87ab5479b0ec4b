package dev.nibble.tensor;

/**
 * MXFP4, 4.25 bits a weight: E2M1 with a power of two for 32. 32 weights in 17 bytes:
 *
 * <pre>
 *  0  1  x, an exponent
 *  1 16  byte j holds the code of weight j in its low half, of weight 16 + j in its high half
 * </pre>
 *
 * w = 2^(x - 127) E2M1(code). The value of x = 255, which the specification calls NaN, is 2^128 here as it is in ggml.
 *
 * @see <a href="https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf">OCP Microscaling Formats 1.0</a>
 */
final class Mxfp4Codec extends IntegerBlocks implements BlockEncoder {
  private static final int QUANTS = 1;
  private static final int PAIRS = 16;
  private static final int LARGEST_EXPONENT = 2; // that of 6, the largest value
  private static final int BIAS = 127;

  Mxfp4Codec() {
    super(TensorFormat.MXFP4, QUANTS + PAIRS);
  }

  /** 2^(x - 128), as values are doubled; subnormal below x = 2. */
  private static float halfPower(int x) {
    return Float.intBitsToFloat(x < 2 ? 0x00200000 << x : x - 1 << 23);
  }

  @Override
  float scale(byte[] in, int at, int group) {
    return halfPower(in[at] & 0xff);
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, 2 * PAIRS, Half.of(halfPower(in[at] & 0xff)));
    for (int j = 0; j < PAIRS; j++) {
      row.weights[first + j] = Fp4.doubled(in[at + QUANTS + j]);
      row.weights[first + PAIRS + j] = Fp4.doubled(in[at + QUANTS + j] >> 4);
    }
  }

  @Override
  public void encodeBlock(float[] weights, int at, byte[] out, int to) {
    float largest = Math.abs(weights[Rounding.largest(weights, at, 2 * PAIRS)]);
    int exponent = Math.max(0, Math.getExponent(largest) - LARGEST_EXPONENT + BIAS);
    float scale = halfPower(exponent);
    out[to] = (byte) exponent;
    for (int j = 0; j < PAIRS; j++) {
      out[to + QUANTS + j] = (byte) (Fp4.nearest(weights[at + j], scale) | Fp4.nearest(weights[at + PAIRS + j], scale) << 4);
    }
  }
}
