package dev.nibble.tensor;

/**
 * IQ2_XXS, 2.0625 bits a weight. 256 weights in 66 bytes:
 *
 * <pre>
 *  0  2  d, binary16
 *  2 64  for each 32 weights: 4 bytes, points of {@link Codebook#IQ2_XXS} for each 8 weights; 4 bytes: 7 bits of {@link Signs} for each 8, then s, 4 bits
 * </pre>
 *
 * w = d (s + 1/2) / 4 × ± point.
 */
final class Iq2XxsCodec extends IntegerBlocks {
  private static final int POINTS = Half.BYTES;
  private static final int GROUP_BYTES = 8;

  private final Codebook points = new Codebook(Codebook.IQ2_XXS, 256, 8, Codebook.IQ2_LEVELS);

  Iq2XxsCodec() {
    super(TensorFormat.IQ2_XXS, POINTS + 8 * GROUP_BYTES);
  }

  private static int tail(byte[] in, int at, int group) {
    return Signs.ofFour(in, at + POINTS + GROUP_BYTES * group + 4);
  }

  @Override
  float scale(byte[] in, int at, int group) {
    return Half.get(in, at) * (0.5f + (tail(in, at, group / 2) >>> 28)) * 0.25f;
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    for (int group = 0; group < 8; group++) {
      int tail = tail(in, at, group);
      row.scale(first + 32 * group, 32, Half.of(scale(in, at, 2 * group)));
      for (int i = 0; i < 32; i++) {
        int magnitude = points.level(in[at + POINTS + GROUP_BYTES * group + i / 8] & 0xff, i % 8);
        row.weights[first + 32 * group + i] = (byte) Signs.apply(Signs.ofSeven(tail >>> 7 * (i / 8)), i % 8, magnitude);
      }
    }
  }
}
