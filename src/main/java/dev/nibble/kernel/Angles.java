package dev.nibble.kernel;

/**
 * Sine and cosine of angles in radians: own code in double precision, the same bits on every machine. Within 2^-51 of the true value for magnitudes up
 * to 2^31; greater angles, and those that are not finite, give not-a-number.
 */
public final class Angles {
  private static final double GREATEST = 0x1p31;
  private static final double TWO_OVER_PI = 0.6366197723675814;
  // π / 2 = HIGH + LOW, to 107 bits (Cody and Waite 1980). Fused multiply-adds round only once, so two parts are enough.
  private static final double HALF_PI_HIGH = 0x1.921fb54442d18p0;
  private static final double HALF_PI_LOW = 0x1.1a62633145c07p-54;
  /** 1.5 × 2^52: adding it to a double of magnitude below 2^51 rounds to an integer and leaves it in the low bits. */
  private static final double ROUND = 0x1.8p52;

  private Angles() {}

  /** sin(angle). */
  public static double sine(double angle) {
    return circular(angle, 0);
  }

  /** cos(angle) = sin(angle + π / 2). */
  public static double cosine(double angle) {
    return circular(angle, 1);
  }

  /** sin(angle + quarters × π / 2). */
  private static double circular(double angle, int quarters) {
    if (!(Math.abs(angle) <= GREATEST)) {
      return Double.NaN;
    }
    double shifted = angle * TWO_OVER_PI + ROUND;
    double n = shifted - ROUND;
    double r = Math.fma(-n, HALF_PI_LOW, Math.fma(-n, HALF_PI_HIGH, angle)); // |r| ≤ π / 4, but for rounding
    int quarter = (int) Double.doubleToRawLongBits(shifted) + quarters;
    double value = (quarter & 1) == 0 ? sineNearZero(r) : cosineNearZero(r);
    return (quarter & 2) == 0 ? value : -value;
  }

  /** Taylor's series up to r^17: what is left out is below 2^-56 of it. */
  private static double sineNearZero(double r) {
    double square = r * r;
    double p = 1.0 / 355687428096000.0;
    p = Math.fma(p, square, -1.0 / 1307674368000.0);
    p = Math.fma(p, square, 1.0 / 6227020800.0);
    p = Math.fma(p, square, -1.0 / 39916800.0);
    p = Math.fma(p, square, 1.0 / 362880.0);
    p = Math.fma(p, square, -1.0 / 5040.0);
    p = Math.fma(p, square, 1.0 / 120.0);
    p = Math.fma(p, square, -1.0 / 6.0);
    return Math.fma(p * square, r, r);
  }

  /** Taylor's series up to r^16: what is left out is below 2^-58. */
  private static double cosineNearZero(double r) {
    double square = r * r;
    double p = 1.0 / 20922789888000.0;
    p = Math.fma(p, square, -1.0 / 87178291200.0);
    p = Math.fma(p, square, 1.0 / 479001600.0);
    p = Math.fma(p, square, -1.0 / 3628800.0);
    p = Math.fma(p, square, 1.0 / 40320.0);
    p = Math.fma(p, square, -1.0 / 720.0);
    p = Math.fma(p, square, 1.0 / 24.0);
    p = Math.fma(p, square, -0.5);
    return Math.fma(p, square, 1.0);
  }
}
