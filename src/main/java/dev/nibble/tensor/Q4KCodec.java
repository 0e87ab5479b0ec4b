package dev.nibble.tensor;

/**
 * Q4_K, 4.5 bits a weight. 256 weights in 144 bytes:
 *
 * <pre>
 *  0   2  d, binary16
 *  2   2  e, binary16
 *  4  12  s and m for each 32 weights, see {@link KScales}
 * 16 128  of each 64 weights, byte i of 32 holds q of weight i in its low half, of weight 32 + i in its high half
 * </pre>
 *
 * w = d s q - e m.
 */
final class Q4KCodec implements AffineCodec {
  private static final int MINIMUM = Half.BYTES;
  private static final int SCALES = MINIMUM + Half.BYTES;
  private static final int QUANTS = SCALES + KScales.BYTES;

  @Override
  public TensorFormat format() {
    return TensorFormat.Q4_K;
  }

  @Override
  public int blockBytes() {
    return QUANTS + 128;
  }

  @Override
  public void decodeBlock(byte[] in, int at, float[] out, int to) {
    KScales.decode(in, at + SCALES, (group, i) -> in[at + QUANTS + group / 2 * 32 + i] >> group % 2 * 4 & 15, out, to);
  }

  /** Scales and minimums of 32 weights are products, which have more digits than binary16 keeps. */
  @Override
  public void split(byte[] in, int at, AffineRow row, int first) {
    float scale = Half.get(in, at);
    float minimum = Half.get(in, at + MINIMUM);
    for (int group = 0; group < 8; group++) {
      row.scales[first / AffineRow.GROUP + group] = Half.of(scale * KScales.scale(in, at + SCALES, group));
      row.minimums[first / AffineRow.GROUP + group] = Half.of(-minimum * KScales.minimum(in, at + SCALES, group));
      for (int i = 0; i < 32; i += Long.BYTES) {
        EightBytes.set(row.nibbles, first + 32 * group + i, EightBytes.get(in, at + QUANTS + group / 2 * 32 + i) >>> group % 2 * 4 & EightBytes.NIBBLES);
      }
    }
  }
}
