package dev.nibble.tokenizer.jinja;

import java.math.BigDecimal;

/**
 * A floating-point number.
 *
 * @param own whether its digits, when it is written, are the template's own
 */
record Real(double value, boolean own) implements Value {
  @Override
  public String typeName() {
    return "float";
  }

  @Override
  public boolean isTrue() {
    return value != 0;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Value number && Numbers.equal(this, number);
  }

  @Override
  public int hashCode() {
    return Double.isFinite(value) && value == Math.rint(value) ? new BigDecimal(value).toBigInteger().hashCode() : Double.hashCode(value);
  }
}
