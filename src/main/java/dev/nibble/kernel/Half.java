package dev.nibble.kernel;

/** IEEE 754 binary16. */
final class Half {
  private Half() {}

  static float toFloat(short bits) {
    return Float.float16ToFloat(bits);
  }

  /** Checks that a scale is finite: a product with infinity would be NaN in one kernel and large in another. */
  static short finite(short bits, long row, int block) {
    if ((bits & 0x7c00) == 0x7c00) {
      throw new IllegalArgumentException("the scale of row " + row + ", block " + block + " is not finite");
    }
    return bits;
  }
}
