package dev.nibble.tensor;

/**
 * TQ1_0, 1.6875 bits a weight, ternary. 256 weights in 54 bytes:
 *
 * <pre>
 *  0 32  byte i holds weights 32 k + i (k of 0 to 4)
 * 32 16  byte i holds weights 160 + 16 k + i (k of 0 to 4)
 * 48  4  byte i holds weights 240 + 4 k + i (k of 0 to 3)
 * 52  2  d, binary16
 * </pre>
 *
 * A byte is a fraction of 256, rounded up, whose digits after the point, in base 3, are the q of k = 0, 1, …: they come out one after the other as it is
 * multiplied by 3. w = d (q - 1).
 */
final class Tq10Codec extends IntegerBlocks implements BlockEncoder {
  private static final int WEIGHTS = 256;
  private static final int BYTES = 52;
  private static final int DIGITS = 5;
  private static final int POWER = 243; // 3 to the number of digits

  Tq10Codec() {
    super(TensorFormat.TQ1_0, BYTES + Half.BYTES);
  }

  @Override
  public void split(byte[] in, int at, IntegerRow row, int first) {
    row.scale(first, WEIGHTS, Half.bits(in, at + BYTES));
    for (int i = 0; i < BYTES; i++) {
      int rest = in[at + i] & 0xff;
      for (int digit = 0; digit < digits(i); digit++) {
        row.weights[first + weight(i, digit)] = (byte) ((rest * 3 >> 8) - 1);
        rest = rest * 3 & 0xff;
      }
    }
  }

  @Override
  public void encodeBlock(float[] weights, int at, byte[] out, int to) {
    int extreme = Rounding.largest(weights, at, WEIGHTS);
    float scale = Math.abs(weights[extreme]);
    float inverse = Rounding.inverse(scale);
    Half.putScale(out, to + BYTES, scale, weights, extreme, TensorFormat.TQ1_0);
    for (int i = 0; i < BYTES; i++) {
      int number = 0;
      for (int digit = 0; digit < DIGITS; digit++) {
        number = 3 * number + (digit < digits(i) ? Rounding.halfAway(weights[at + weight(i, digit)] * inverse) + 1 : 0);
      }
      out[to + i] = (byte) ((number * 256 + POWER - 1) / POWER);
    }
  }

  private static int digits(int place) {
    return place < 48 ? DIGITS : 4;
  }

  private static int weight(int place, int digit) {
    if (place < 32) {
      return 32 * digit + place;
    }
    return place < 48 ? 160 + 16 * digit + place - 32 : 240 + 4 * digit + place - 48;
  }
}
