package dev.nibble.tensor;

/** A weight that is not finite, or too large for the format asked for; no value would stand for it honestly. */
public final class UnrepresentableWeightException extends ArithmeticException {
  private static final long serialVersionUID = 1L;

  private final int index;
  private final float value;
  private final TensorFormat format;

  UnrepresentableWeightException(int index, float value, TensorFormat format) {
    super(describe(value, format) + " (weight " + index + ")");
    this.index = index;
    this.value = value;
    this.format = format;
  }

  private static String describe(float value, TensorFormat format) {
    return Float.isFinite(value) ? value + " is too large for " + format : value + " is not a finite number";
  }

  /** Index of the weight in the array given. */
  public int index() {
    return index;
  }

  public float value() {
    return value;
  }

  /** What is wrong, without the index. */
  public String reason() {
    return describe(value, format);
  }
}
