package dev.nibble.kernel;

/** IEEE 754 binary16. */
final class Half {
  /** Sign, exponent and fraction of a binary16 moved to a binary32's place; its exponent is then too small by 112. */
  static final int FLOAT_BITS = 0x8fffe000;
  /** Makes up for the exponent. */
  static final float FLOAT_SCALE = 0x1p112f;

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
