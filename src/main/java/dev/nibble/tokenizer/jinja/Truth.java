package dev.nibble.tokenizer.jinja;

import java.math.BigInteger;

/** True and False, which are also the integers 1 and 0. */
record Truth(boolean value) implements Value {
  static final Truth FALSE = new Truth(false);
  static final Truth TRUE = new Truth(true);

  static Truth of(boolean value) {
    return value ? TRUE : FALSE;
  }

  BigInteger number() {
    return value ? BigInteger.ONE : BigInteger.ZERO;
  }

  @Override
  public String typeName() {
    return "bool";
  }

  @Override
  public boolean isTrue() {
    return value;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Value number && Numbers.equal(this, number);
  }

  @Override
  public int hashCode() {
    return number().hashCode();
  }
}
