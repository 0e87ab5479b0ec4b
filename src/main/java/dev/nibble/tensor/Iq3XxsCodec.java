package dev.nibble.tensor;

/**
 * IQ3_XXS, 3.0625 bits a weight. 256 weights in 98 bytes:
 *
 * <pre>
 *  0  2  d, binary16
 *  2 64  for each 4 weights: a point of {@link Codebook#IQ3_XXS}
 * 66 32  for each 32 weights: 7 bits of {@link Signs} for each 8 weights, then s, 4 bits
 * </pre>
 *
 * w = d (s + 1/2) / 2 × ± point.
 */
final class Iq3XxsCodec extends IntegerBlocks {
  private static final int POINTS = Half.BYTES;
  private static final int TAILS = POINTS + 64;

  private final Codebook points = new Codebook(Codebook.IQ3_XXS, 256, 4, 4, 12, 20, 28, 36, 44, 52, 62);

  Iq3XxsCodec() {
    super(TensorFormat.IQ3_XXS, TAILS + 32);
  }

  private static int tail(byte[] in, int at, int group) {
    return Signs.ofFour(in, at + TAILS + 4 * group);
  }

  @Override
  float scale(byte[] in, int at, int group) {
    return Half.get(in, at) * (0.5f + (tail(in, at, group / 2) >>> 28)) * 0.5f;
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    for (int group = 0; group < 8; group++) {
      int tail = tail(in, at, group);
      row.scale(first + 32 * group, 32, Half.of(scale(in, at, 2 * group)));
      for (int i = 0; i < 32; i++) {
        int magnitude = points.level(in[at + POINTS + 8 * group + i / 4] & 0xff, i % 4);
        row.weights[first + 32 * group + i] = (byte) Signs.apply(Signs.ofSeven(tail >>> 7 * (i / 8)), i % 8, magnitude);
      }
    }
  }
}
