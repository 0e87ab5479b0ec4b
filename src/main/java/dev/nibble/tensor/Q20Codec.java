package dev.nibble.tensor;

/**
 * Q2_0, 2.25 bits a weight. 64 weights in 18 bytes:
 *
 * <pre>
 *  0  2  d, binary16
 *  2 16  weight i has q in bits 2 (i % 4) and 2 (i % 4) + 1 of byte i / 4
 * </pre>
 *
 * w = d (q - 1).
 */
final class Q20Codec extends IntegerBlocks {
  private static final int WEIGHTS = 64;

  Q20Codec() {
    super(TensorFormat.Q2_0, Half.BYTES + WEIGHTS / 4);
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, WEIGHTS, Half.bits(in, at));
    for (int i = 0; i < WEIGHTS; i++) {
      row.weights[first + i] = (byte) ((in[at + Half.BYTES + i / 4] >> i % 4 * 2 & 3) - 1);
    }
  }
}
