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
final class Q4KCodec implements BlockCodec {
  private static final int SCALES = 2 * Half.BYTES;
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
}
