package dev.nibble.tensor;

/**
 * Q1_0, 1.125 bits a weight. 128 weights in 18 bytes:
 *
 * <pre>
 *  0  2  d, binary16
 *  2 16  weight i has q in bit i % 8 of byte i / 8
 * </pre>
 *
 * w = d (2 q - 1).
 */
final class Q10Codec extends IntegerBlocks {
  private static final int WEIGHTS = 128;

  Q10Codec() {
    super(TensorFormat.Q1_0, Half.BYTES + WEIGHTS / 8);
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, WEIGHTS, Half.bits(in, at));
    for (int i = 0; i < WEIGHTS; i++) {
      row.weights[first + i] = (byte) (2 * (in[at + Half.BYTES + i / 8] >> i % 8 & 1) - 1);
    }
  }
}
