package dev.nibble.tensor;

/**
 * IQ1_S, 1.5625 bits a weight. 256 weights in 50 bytes:
 *
 * <pre>
 *  0  2  d, binary16
 *  2 32  for each 8 weights: the low 8 bits of a point of {@link Codebook#IQ1}
 * 34 16  for each 32 weights: 3 high bits of the point for each 8, then s, 3 bits, then 1 bit: whether 1/8 is taken away rather than added
 * </pre>
 *
 * w = d (2 s + 1) (point ± 1/8). In integers, all of it is taken eight times.
 */
final class Iq1SCodec extends IntegerBlocks {
  private static final int POINTS = Half.BYTES;
  private static final int TAILS = POINTS + 32;
  private static final float EIGHTH = 0.125f;

  private final Codebook points = new Codebook(Codebook.IQ1, 2048, 8, Codebook.IQ1_EIGHTHS);

  Iq1SCodec() {
    super(TensorFormat.IQ1_S, TAILS + 16);
  }

  @Override
  float scale(byte[] in, int at, int group) {
    return Half.get(in, at) * factor(in, at, group) * EIGHTH;
  }

  private static int factor(byte[] in, int at, int group) {
    return 2 * (Half.bits(in, at + TAILS + group / 2 * 2) >> 12 & 7) + 1;
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, 256, Half.of(Half.get(in, at) * EIGHTH));
    for (int group = 0; group < 16; group++) {
      row.factors[first / IntegerRow.FACTOR_WEIGHTS + group] = (byte) factor(in, at, group);
    }
    for (int i = 0; i < 256; i++) {
      int tail = Half.bits(in, at + TAILS + i / 32 * 2);
      int point = in[at + POINTS + i / 8] & 0xff | (tail >> i / 8 % 4 * 3 & 7) << 8;
      row.weights[first + i] = (byte) (points.level(point, i % 8) + (tail < 0 ? -1 : 1));
    }
  }
}
