package dev.nibble.tensor;

/**
 * Q2_K, 2.625 bits a weight. 256 weights in 84 bytes:
 *
 * <pre>
 *  0 16  for each 16 weights: s in the low half, m in the high half
 * 16 64  of each half of 128 weights, weights 32 k + i (k of 0 to 3) have q in bits 2k and 2k + 1 of byte i
 * 80  2  d, binary16
 * 82  2  e, binary16
 * </pre>
 *
 * w = d s q - e m.
 */
final class Q2KCodec implements BlockCodec {
  private static final int QUANTS = 16;
  private static final int SCALE = QUANTS + 64;
  private static final int MINIMUM = SCALE + Half.BYTES;

  @Override
  public TensorFormat format() {
    return TensorFormat.Q2_K;
  }

  @Override
  public int blockBytes() {
    return MINIMUM + Half.BYTES;
  }

  @Override
  public void decodeBlock(byte[] in, int at, float[] out, int to) {
    float scale = Half.get(in, at + SCALE);
    float minimum = Half.get(in, at + MINIMUM);
    for (int group = 0; group < 16; group++) {
      float groupScale = scale * (in[at + group] & 15);
      float groupMinimum = minimum * (in[at + group] >> 4 & 15);
      for (int i = 16 * group; i < 16 * group + 16; i++) {
        out[to + i] = groupScale * TwoBits.get(in, at + QUANTS, i) - groupMinimum;
      }
    }
  }
}
