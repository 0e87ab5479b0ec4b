package dev.nibble.tensor;

import java.util.Arrays;

/**
 * TQ2_0, 2.0625 bits a weight, ternary. 256 weights in 66 bytes:
 *
 * <pre>
 *  0 64  of each half of 128 weights, weights 32 k + i (k of 0 to 3) have q in bits 2k and 2k + 1 of byte i
 * 64  2  d, binary16
 * </pre>
 *
 * w = d (q - 1).
 */
final class Tq20Codec extends IntegerBlocks implements BlockEncoder {
  private static final int WEIGHTS = 256;
  private static final int SCALE = WEIGHTS / 4;

  Tq20Codec() {
    super(TensorFormat.TQ2_0, SCALE + Half.BYTES);
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, WEIGHTS, Half.bits(in, at + SCALE));
    for (int i = 0; i < WEIGHTS; i++) {
      row.weights[first + i] = (byte) (TwoBits.get(in, at, i) - 1);
    }
  }

  @Override
  public void encodeBlock(float[] weights, int at, byte[] out, int to) {
    int extreme = Rounding.largest(weights, at, WEIGHTS);
    float scale = Math.abs(weights[extreme]);
    float inverse = Rounding.inverse(scale);
    Half.putScale(out, to + SCALE, scale, weights, extreme, TensorFormat.TQ2_0);
    Arrays.fill(out, to, to + SCALE, (byte) 0);
    for (int i = 0; i < WEIGHTS; i++) {
      out[to + TwoBits.place(i)] |= (byte) (Rounding.halfAway(weights[at + i] * inverse) + 1 << TwoBits.shift(i));
    }
  }
}
