package dev.nibble.tensor;

/**
 * IQ1_M, 1.75 bits a weight. 256 weights in 56 bytes:
 *
 * <pre>
 *  0 32  for each 8 weights: the low 8 bits of a point of {@link Codebook#IQ1}
 * 32 16  for each 8 weights: 3 high bits of the point, then 1 bit: whether 1/8 is taken away rather than added
 * 48  8  for each 64 weights: s for each 16 weights, 3 bits, then 4 bits of d, binary16, the lowest first
 * </pre>
 *
 * w = d (2 s + 1) (point ± 1/8). In integers, all of it is taken eight times.
 */
final class Iq1MCodec extends IntegerBlocks {
  private static final int HIGH = 32;
  private static final int SCALES = HIGH + 16;
  private static final float EIGHTH = 0.125f;

  private final Codebook points = new Codebook(Codebook.IQ1, 2048, 8, Codebook.IQ1_EIGHTHS);

  Iq1MCodec() {
    super(TensorFormat.IQ1_M, SCALES + 8);
  }

  private static float blockScale(byte[] in, int at) {
    int bits = 0;
    for (int i = 0; i < 4; i++) {
      bits |= (in[at + SCALES + 2 * i + 1] >> 4 & 15) << 4 * i;
    }
    return Half.toFloat((short) bits);
  }

  private static int factor(byte[] in, int at, int group) {
    return 2 * (Half.bits(in, at + SCALES + group / 4 * 2) >> group % 4 * 3 & 7) + 1;
  }

  @Override
  float scale(byte[] in, int at, int group) {
    return blockScale(in, at) * factor(in, at, group) * EIGHTH;
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, 256, Half.of(blockScale(in, at) * EIGHTH));
    for (int group = 0; group < 16; group++) {
      row.factors[first / IntegerRow.FACTOR_WEIGHTS + group] = (byte) factor(in, at, group);
    }
    for (int i = 0; i < 256; i++) {
      int high = in[at + HIGH + i / 16] >> i / 8 % 2 * 4;
      int point = in[at + i / 8] & 0xff | (high & 7) << 8;
      row.weights[first + i] = (byte) (points.level(point, i % 8) + ((high & 8) == 0 ? 1 : -1));
    }
  }
}
