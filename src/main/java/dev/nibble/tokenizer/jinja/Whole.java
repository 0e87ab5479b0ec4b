package dev.nibble.tokenizer.jinja;

import java.math.BigInteger;

/**
 * An integer of any size.
 *
 * @param own whether its digits, when it is written, are the template's own
 */
record Whole(BigInteger value, boolean own) implements Value {
  static Whole own(long value) {
    return new Whole(BigInteger.valueOf(value), true);
  }

  @Override
  public String typeName() {
    return "int";
  }

  @Override
  public boolean isTrue() {
    return value.signum() != 0;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Value number && Numbers.equal(this, number);
  }

  @Override
  public int hashCode() {
    return value.hashCode();
  }
}
