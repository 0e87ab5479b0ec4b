package dev.nibble.tensor;

/**
 * IQ4_XS, 4.25 bits a weight: the table of {@link Iq4NlCodec} with scales of their own for 32. 256 weights in 136 bytes:
 *
 * <pre>
 *  0   2  d, binary16
 *  2   2  the high 2 bits of s for each 32 weights, the lowest first
 *  4   4  the low 4 bits of s, the lower half first
 *  8 128  of each 32 weights, byte j of 16 holds the code of weight j in its low half, of weight 16 + j in its high half
 * </pre>
 *
 * w = d (s - 32) table[code].
 */
final class Iq4XsCodec extends IntegerBlocks {
  private static final int HIGH = Half.BYTES;
  private static final int LOW = HIGH + 2;
  private static final int QUANTS = LOW + 4;

  Iq4XsCodec() {
    super(TensorFormat.IQ4_XS, QUANTS + 128);
  }

  @Override
  float scale(byte[] in, int at, int group) {
    int thirtyTwo = group / 2;
    int s = in[at + LOW + thirtyTwo / 2] >> thirtyTwo % 2 * 4 & 15 | (Half.bits(in, at + HIGH) >> 2 * thirtyTwo & 3) << 4;
    return Half.get(in, at) * (s - 32);
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    for (int group = 0; group < 8; group++) {
      row.scale(first + 32 * group, 32, Half.of(scale(in, at, 2 * group)));
      for (int j = 0; j < 16; j++) {
        int pair = in[at + QUANTS + 16 * group + j];
        row.weights[first + 32 * group + j] = Iq4NlCodec.value(pair);
        row.weights[first + 32 * group + 16 + j] = Iq4NlCodec.value(pair >> 4);
      }
    }
  }
}
