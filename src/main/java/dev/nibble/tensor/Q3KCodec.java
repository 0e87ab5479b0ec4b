package dev.nibble.tensor;

/**
 * Q3_K, 3.4375 bits a weight. 256 weights in 110 bytes:
 *
 * <pre>
 *   0 32  weight 32 k + i has its third bit in bit k of byte i
 *  32 64  of each half of 128 weights, weights 32 k + i (k of 0 to 3) have two bits in bits 2k and 2k + 1 of byte i
 *  96 12  s for each 16 weights, 6 bits: group g has its low four in half g / 8 of byte g % 8, its high two in bits 2 (g / 4) of byte 8 + g % 4
 * 108  2  d, binary16
 * </pre>
 *
 * w = d (s - 32) (q - 4).
 */
final class Q3KCodec extends IntegerBlocks {
  private static final int QUANTS = 32;
  private static final int SCALES = QUANTS + 64;
  private static final int SCALE = SCALES + 12;

  Q3KCodec() {
    super(TensorFormat.Q3_K, SCALE + Half.BYTES);
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, 256, Half.bits(in, at + SCALE));
    for (int group = 0; group < 16; group++) {
      int low = in[at + SCALES + group % 8] >> 4 * (group / 8) & 15;
      int high = in[at + SCALES + 8 + group % 4] >> 2 * (group / 4) & 3;
      row.factors[first / IntegerRow.FACTOR_WEIGHTS + group] = (byte) ((low | high << 4) - 32);
    }
    for (int i = 0; i < 256; i++) {
      int third = in[at + i % 32] >> i / 32 & 1;
      row.weights[first + i] = (byte) (TwoBits.get(in, at + QUANTS, i) + 4 * third - 4);
    }
  }
}
