package dev.nibble.tensor;

/**
 * IQ2_S, 2.5625 bits a weight. 256 weights in 82 bytes:
 *
 * <pre>
 *  0  2  d, binary16
 *  2 32  for each 8 weights: the low 8 bits of a point of {@link Codebook#IQ2_S}
 * 34 32  for each 8 weights: signs, a set bit for a negative one
 * 66  8  for each 8 weights: the high 2 bits of the point
 * 74  8  s for each 16 weights, 4 bits, the lower half first
 * </pre>
 *
 * w = d (s + 1/2) / 4 × ± point.
 */
final class Iq2SCodec implements BlockCodec {
  private static final int POINTS = Half.BYTES;
  private static final int SIGNS = POINTS + 32;
  private static final int HIGH = SIGNS + 32;
  private static final int SCALES = HIGH + 8;

  private final Codebook points = new Codebook(Codebook.IQ2_S, 1024, 8, Codebook.IQ2_LEVELS);

  @Override
  public TensorFormat format() {
    return TensorFormat.IQ2_S;
  }

  @Override
  public int blockBytes() {
    return SCALES + 8;
  }

  @Override
  public void decodeBlock(byte[] in, int at, float[] out, int to) {
    float scale = Half.get(in, at);
    for (int eight = 0; eight < 32; eight++) {
      float groupScale = scale * (0.5f + (in[at + SCALES + eight / 4] >> eight / 2 % 2 * 4 & 15)) * 0.25f;
      int point = in[at + POINTS + eight] & 0xff | (in[at + HIGH + eight / 4] >> eight % 4 * 2 & 3) << 8;
      for (int i = 0; i < 8; i++) {
        out[to + 8 * eight + i] = groupScale * Signs.apply(in[at + SIGNS + eight], i, points.level(point, i));
      }
    }
  }
}
