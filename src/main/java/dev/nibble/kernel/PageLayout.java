package dev.nibble.kernel;

/**
 * Where the bits of one head's keys or values of a page lie in an int array. Numbers come in runs of 8, which stay side by side in vector
 * lanes: keys are [channel][64 tokens], values [64 tokens][channels]. A row of 8 ints holds as many runs as fit into 32 bits; number i of the
 * row's run b lies in int i, from bit b × bits on. So unpacking is a shift and a mask, at any vector width, and no lane is crossed.
 *
 * <p>Coded formats have before the rows, for each group of numbers in order, an int: the group's scale as binary16 (low half) and its zero point as
 * binary16 (high half). A number is zero point + scale × code, by one fused multiply-add. The zero point is rounded down and the scale up, so
 * that the codes reach all of the group's numbers and none is further off than half a scale.
 *
 * @param format of the numbers
 * @param numbers in all; a multiple of 128
 * @param group numbers that share a scale and a zero point: 8, 16, 32 or 64
 */
public record PageLayout(PageFormat format, int numbers, int group) {
  /** Tokens of a page. */
  public static final int TOKENS = 64;
  /** Numbers of a run. */
  static final int RUN = 8;
  private static final int VALUE_GROUP = 32; // channels; KIVI's group size (Liu et al. 2024)
  private static final float HALF_MOST = 65504f;
  private static final float ROUND = 12582912f; // 1.5 × 2^23: adding it rounds to an integer, halves to even

  public PageLayout {
    if (numbers % 128 != 0 || group < RUN || group > TOKENS || Integer.bitCount(group) != 1) {
      throw new IllegalArgumentException(numbers + " numbers in groups of " + group + " are no page");
    }
  }

  /** Channels of a head as they are kept: a multiple of 8. */
  public static int paddedWidth(int headWidth) {
    return (headWidth + RUN - 1) / RUN * RUN;
  }

  /** Keys of one head: [padded width][{@value #TOKENS}], a group for each channel. */
  public static PageLayout keys(PageFormat format, int headWidth) {
    return new PageLayout(format, paddedWidth(headWidth) * TOKENS, TOKENS);
  }

  /** Values of one head: [{@value #TOKENS}][padded width], groups of 32 channels of a token; of 16 or 8 where 32 does not divide the width. */
  public static PageLayout values(PageFormat format, int headWidth) {
    int width = paddedWidth(headWidth);
    return new PageLayout(format, width * TOKENS, Math.min(VALUE_GROUP, Integer.lowestOneBit(width)));
  }

  /** Groups of a coded format. */
  int groups() {
    return numbers / group;
  }

  /** Ints before the rows. */
  int parameterInts() {
    return format.coded() ? groups() : 0;
  }

  /** Ints in all. */
  public int ints() {
    return parameterInts() + numbers / (32 / format.bits());
  }

  /** Packs numbers, which should be finite. */
  public void pack(float[] from, int fromAt, int[] to, int toAt) {
    java.util.Objects.checkFromIndexSize(fromAt, numbers, from.length);
    java.util.Objects.checkFromIndexSize(toAt, ints(), to.length);
    switch (format) {
      case F32 -> {
        for (int i = 0; i < numbers; i++) {
          to[toAt + i] = Float.floatToRawIntBits(from[fromAt + i]);
        }
      }
      case F16 -> {
        for (int i = 0; i < numbers; i += 2 * RUN) {
          for (int lane = 0; lane < RUN; lane++) {
            to[toAt + i / 2 + lane] = half(from[fromAt + i + lane]) | half(from[fromAt + i + RUN + lane]) << 16;
          }
        }
      }
      case INT8, INT4, INT2 -> packCodes(from, fromAt, to, toAt);
    }
  }

  private void packCodes(float[] from, int fromAt, int[] to, int toAt) {
    int bits = format.bits();
    int levels = (1 << bits) - 1;
    int runsPerRow = 32 / bits;
    int rows = toAt + parameterInts();
    java.util.Arrays.fill(to, rows, toAt + ints(), 0);
    for (int g = 0; g < groups(); g++) {
      int start = fromAt + g * group;
      float least = from[start];
      float most = least;
      for (int i = start + 1; i < start + group; i++) {
        least = Math.min(least, from[i]);
        most = Math.max(most, from[i]);
      }
      int zeroBits = halfBelow(least);
      float zero = toFloat(zeroBits);
      int scaleBits = halfAbove((most - zero) / levels);
      float scale = toFloat(scaleBits);
      float inverse = scale == 0 ? 0 : 1 / scale;
      to[toAt + g] = scaleBits | zeroBits << 16;
      for (int i = 0; i < group; i++) {
        int rounded = Float.floatToRawIntBits((from[start + i] - zero) * inverse + ROUND) - Float.floatToRawIntBits(ROUND);
        int code = Math.max(0, Math.min(levels, rounded)); // beyond only where numbers exceed binary16, or are not finite
        int number = g * group + i;
        int run = number / RUN;
        to[rows + run / runsPerRow * RUN + number % RUN] |= code << run % runsPerRow * bits;
      }
    }
  }

  /** Bits of the nearest binary16, never infinite. */
  private static int half(float x) {
    return Float.floatToFloat16(Math.max(-HALF_MOST, Math.min(HALF_MOST, x))) & 0xffff;
  }

  /** The largest binary16 that is not above x. */
  private static int halfBelow(float x) {
    int bits = half(x);
    if (toFloat(bits) <= x || bits == 0xfbff) {
      return bits;
    }
    return (bits & 0x8000) != 0 ? bits + 1 : bits == 0 ? 0x8001 : bits - 1;
  }

  /** The smallest binary16 that is not below x, for x ≥ 0. */
  private static int halfAbove(float x) {
    int bits = half(x);
    return toFloat(bits) >= x || bits == 0x7bff ? bits : bits + 1;
  }

  /** Value of a finite binary16, exact: its bits moved to a binary32's place have an exponent too small by 112. */
  static float toFloat(int halfBits) {
    return Float.intBitsToFloat(halfBits << 16 >> 3 & 0x8fffe000) * 0x1p112f;
  }
}
