package dev.nibble.tensor;

/** The 16 values of E2M1, a sign, two bits of exponent and one of fraction, doubled so that all are whole. */
final class Fp4 {
  private static final byte[] DOUBLED = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

  private Fp4() {}

  static byte doubled(int code) {
    return DOUBLED[code & 15];
  }

  /** The code of the value nearest to {@code value / scale}; of two as near, that of the lower code. */
  static int nearest(float value, float scale) {
    int best = 0;
    float least = Math.abs(DOUBLED[0] * scale - value);
    for (int code = 1; code < DOUBLED.length; code++) {
      float error = Math.abs(DOUBLED[code] * scale - value);
      if (error < least) {
        best = code;
        least = error;
      }
    }
    return best;
  }
}
