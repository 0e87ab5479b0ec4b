package dev.nibble.tensor;

/**
 * IQ3_S, 3.4375 bits a weight. 256 weights in 110 bytes:
 *
 * <pre>
 *   0  2  d, binary16
 *   2 64  for each 4 weights: the low 8 bits of a point of {@link Codebook#IQ3_S}
 *  66  8  for each 4 weights: the high bit of the point
 *  74 32  signs, a set bit for a negative weight
 * 106  4  s for each 32 weights, 4 bits, the lower half first
 * </pre>
 *
 * w = d (2 s + 1) × ± point.
 */
final class Iq3SCodec extends IntegerBlocks {
  private static final int POINTS = Half.BYTES;
  private static final int HIGH = POINTS + 64;
  private static final int SIGNS = HIGH + 8;
  private static final int SCALES = SIGNS + 32;

  private final Codebook points = new Codebook(Codebook.IQ3_S, 512, 4, 1, 3, 5, 7, 9, 11, 13, 15);

  Iq3SCodec() {
    super(TensorFormat.IQ3_S, SCALES + 4);
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, 256, Half.bits(in, at));
    for (int group = 0; group < 16; group++) {
      int s = in[at + SCALES + group / 4] >> group / 2 % 2 * 4 & 15;
      row.factors[first / IntegerRow.FACTOR_WEIGHTS + group] = (byte) (2 * s + 1);
    }
    for (int i = 0; i < 256; i++) {
      int four = i / 4;
      int point = in[at + POINTS + four] & 0xff | (in[at + HIGH + four / 8] >> four % 8 & 1) << 8;
      row.weights[first + i] = (byte) Signs.apply(in[at + SIGNS + i / 8], i % 8, points.level(point, i % 4));
    }
  }
}
