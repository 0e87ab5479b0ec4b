package dev.nibble.tensor;

/** IEEE 754 binary16, little-endian in arrays. */
public final class Half {
  /** Sign, exponent and fraction of a binary16 moved to a binary32's place; its exponent is then too small by 112. */
  public static final int FLOAT_BITS = 0x8fffe000;
  /** Makes up for the exponent. */
  public static final float FLOAT_SCALE = 0x1p112f;
  /** Bytes of one. */
  static final int BYTES = 2;

  private static final int EXPONENT = 0x7c00; // all set where a value is not finite

  private Half() {}

  public static float toFloat(short bits) {
    return Float.float16ToFloat(bits);
  }

  /** The nearest one, halves to even; infinite beyond 65504. */
  public static short of(float value) {
    return Float.floatToFloat16(value);
  }

  public static boolean isFinite(short bits) {
    return (bits & EXPONENT) != EXPONENT;
  }

  static float get(byte[] in, int at) {
    return toFloat(bits(in, at));
  }

  static short bits(byte[] in, int at) {
    return (short) (in[at] & 0xff | in[at + 1] << 8);
  }

  static void put(byte[] out, int at, short bits) {
    out[at] = (byte) bits;
    out[at + 1] = (byte) (bits >> 8);
  }

  /** Stores a scale. @throws UnrepresentableWeightException if it is too large; the weight at {@code index} asked for it */
  static void putScale(byte[] out, int at, float scale, float[] weights, int index, TensorFormat format) {
    short bits = of(scale);
    if (!isFinite(bits)) {
      throw new UnrepresentableWeightException(index, weights[index], format);
    }
    put(out, at, bits);
  }
}
