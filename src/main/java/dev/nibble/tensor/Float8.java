package dev.nibble.tensor;

/**
 * Floats of eight bits and fewer: a sign, an exponent, a fraction, in this order from the highest bit. An exponent of 0 stands for subnormals. Codes are
 * right-aligned in their byte.
 *
 * @see <a href="https://www.opencompute.org/documents/ocp-8-bit-floating-point-specification-ofp8-revision-1-0-2023-12-01-pdf-1">OCP 8-bit Floating Point (OFP8)</a>
 * @see <a href="https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf">OCP Microscaling Formats 1.0</a>
 */
public enum Float8 {
  /** No infinities; NaN with all bits set, whatever the sign. Up to 448. */
  E4M3FN(4, 3, 7, Specials.ALL_ONES_NAN),
  /** As IEEE 754 has it: the highest exponent is infinity and NaN. Up to 57344. */
  E5M2(5, 2, 15, Specials.IEEE),
  /** No infinities, no negative zero: its code is NaN. Up to 240. */
  E4M3FNUZ(4, 3, 8, Specials.NEGATIVE_ZERO_NAN),
  /** No infinities, no negative zero: its code is NaN. Up to 57344. */
  E5M2FNUZ(5, 2, 16, Specials.NEGATIVE_ZERO_NAN),
  /** A power of two from 2^-127 to 2^127, without sign or zero; NaN with all bits set. The scales of microscaling formats. */
  E8M0(8, 0, 127, Specials.ALL_ONES_NAN),
  /** Four bits; only finite values, up to 6. */
  E2M1(2, 1, 1, Specials.NONE),
  /** Six bits; only finite values, up to 7.5. */
  E2M3(2, 3, 1, Specials.NONE),
  /** Six bits; only finite values, up to 28. */
  E3M2(3, 2, 3, Specials.NONE);

  private enum Specials {
    NONE,
    ALL_ONES_NAN,
    NEGATIVE_ZERO_NAN,
    IEEE
  }

  private final int exponentBits;
  private final int fractionBits;
  private final int bias;
  private final Specials specials;

  Float8(int exponentBits, int fractionBits, int bias, Specials specials) {
    this.exponentBits = exponentBits;
    this.fractionBits = fractionBits;
    this.bias = bias;
    this.specials = specials;
  }

  /** Bits of a code. */
  public int bits() {
    return (signed() ? 1 : 0) + exponentBits + fractionBits;
  }

  private boolean signed() {
    return exponentBits < 8;
  }

  /** The value of a code; higher bits do not count. Exact: a float holds them all. */
  public float toFloat(int code) {
    int magnitude = code & (1 << exponentBits + fractionBits) - 1;
    boolean negative = signed() && (code >> exponentBits + fractionBits & 1) != 0;
    if (isNaN(magnitude, negative)) {
      return Float.NaN;
    }
    int exponent = magnitude >> fractionBits;
    int fraction = magnitude & (1 << fractionBits) - 1;
    if (specials == Specials.IEEE && exponent == (1 << exponentBits) - 1) {
      return negative ? Float.NEGATIVE_INFINITY : Float.POSITIVE_INFINITY;
    }
    boolean normal = exponent > 0 || !signed();
    float value = Math.scalb((float) (normal ? fraction | 1 << fractionBits : fraction), (normal ? exponent : 1) - bias - fractionBits);
    return negative ? -value : value;
  }

  private boolean isNaN(int magnitude, boolean negative) {
    return switch (specials) {
      case NONE -> false;
      case ALL_ONES_NAN -> magnitude == (1 << exponentBits + fractionBits) - 1;
      case NEGATIVE_ZERO_NAN -> negative && magnitude == 0;
      case IEEE -> magnitude > infinity();
    };
  }

  /** In IEEE formats. */
  private int infinity() {
    return (1 << exponentBits) - 1 << fractionBits;
  }

  private int largestMagnitude() {
    return switch (specials) {
      case NONE, NEGATIVE_ZERO_NAN -> (1 << exponentBits + fractionBits) - 1;
      case ALL_ONES_NAN -> (1 << exponentBits + fractionBits) - 2;
      case IEEE -> infinity() - 1;
    };
  }

  /** The largest finite value. */
  public float largest() {
    return toFloat(largestMagnitude());
  }

  /**
   * The code of the nearest value, halves to the even one. What is larger than the largest value becomes that: it is never infinite. E8M0 takes the magnitude
   * alone.
   *
   * @throws IllegalArgumentException for a NaN where the format has none
   */
  public int nearest(float value) {
    int sign = signed() && Float.floatToRawIntBits(value) < 0 ? 1 << exponentBits + fractionBits : 0;
    if (Float.isNaN(value)) {
      return sign | nan();
    }
    float magnitude = Math.abs(value);
    int code = Math.min(largestMagnitude(), magnitude >= largest() ? largestMagnitude() : finite(magnitude));
    return code == 0 && specials == Specials.NEGATIVE_ZERO_NAN ? 0 : sign | code;
  }

  private int nan() {
    return switch (specials) {
      case NONE -> throw new IllegalArgumentException(this + " has no NaN");
      case ALL_ONES_NAN, IEEE -> (1 << exponentBits + fractionBits) - 1;
      case NEGATIVE_ZERO_NAN -> 1 << exponentBits + fractionBits;
    };
  }

  private int finite(float magnitude) {
    return signed() ? rounded(magnitude) : power(magnitude);
  }

  private int rounded(float magnitude) {
    int least = 1 - bias; // exponent of subnormals, and of the least normal value
    int exponent = Math.max(least, Math.getExponent(magnitude));
    // A double holds the quotient exactly. Numbers of the next power of two follow without a gap, so a carry is right.
    int units = (int) Math.rint(Math.scalb((double) magnitude, fractionBits - exponent));
    return units + (exponent - least << fractionBits);
  }

  /** Powers of two are 2^(code - bias); halfway, at 1.5 times one of them, the greater is taken. As a double no magnitude but 0 is subnormal. */
  private int power(float magnitude) {
    int exponent = magnitude == 0 ? -bias : Math.getExponent((double) magnitude);
    return Math.max(0, exponent + bias + (magnitude >= Math.scalb(1.5, exponent) ? 1 : 0));
  }
}
