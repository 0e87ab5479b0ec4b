package dev.nibble.tensor;

/**
 * IQ4_NL, 4.5 bits a weight: a table of 16 values that are not evenly spaced. 32 weights in 18 bytes:
 *
 * <pre>
 *  0  2  d, binary16
 *  2 16  byte j holds the code of weight j in its low half, of weight 16 + j in its high half
 * </pre>
 *
 * w = d table[code].
 */
final class Iq4NlCodec extends IntegerBlocks {
  private static final byte[] TABLE = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  private static final int QUANTS = Half.BYTES;
  private static final int PAIRS = 16;

  Iq4NlCodec() {
    super(TensorFormat.IQ4_NL, QUANTS + PAIRS);
  }

  static byte value(int code) {
    return TABLE[code & 15];
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, 2 * PAIRS, Half.bits(in, at));
    for (int j = 0; j < PAIRS; j++) {
      row.weights[first + j] = value(in[at + QUANTS + j]);
      row.weights[first + PAIRS + j] = value(in[at + QUANTS + j] >> 4);
    }
  }
}
