package dev.nibble.tensor;

/**
 * IQ2_XS, 2.3125 bits a weight. 256 weights in 74 bytes:
 *
 * <pre>
 *  0  2  d, binary16
 *  2 64  for each 8 weights: 9 bits, a point of {@link Codebook#IQ2_XS}, then 7 bits of {@link Signs}
 * 66  8  s for each 16 weights, 4 bits, the lower half first
 * </pre>
 *
 * w = d (s + 1/2) / 4 × ± point.
 */
final class Iq2XsCodec implements BlockCodec {
  private static final int POINTS = Half.BYTES;
  private static final int SCALES = POINTS + 64;

  private final Codebook points = new Codebook(Codebook.IQ2_XS, 512, 8, Codebook.IQ2_LEVELS);

  @Override
  public TensorFormat format() {
    return TensorFormat.IQ2_XS;
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
      int bits = Half.bits(in, at + POINTS + 2 * eight) & 0xffff;
      int signs = Signs.ofSeven(bits >> 9);
      for (int i = 0; i < 8; i++) {
        out[to + 8 * eight + i] = groupScale * Signs.apply(signs, i, points.level(bits & 511, i));
      }
    }
  }
}
