package dev.nibble.tokenizer.jinja;

import java.util.Iterator;
import java.util.stream.IntStream;

/**
 * Equally spaced integers.
 *
 * @param step not 0
 */
record RangeValue(long start, long stop, long step) implements Value {
  static final int MAX_SIZE = 100_000;

  /** How many there are; {@link Long#MAX_VALUE} if that does not fit. */
  long count() {
    if (step > 0 ? start >= stop : start <= stop) {
      return 0;
    }
    return step > 0 ? Math.ceilDiv(Math.subtractExact(stop, start), step) : Math.ceilDiv(Math.subtractExact(start, stop), Math.negateExact(step));
  }

  int size() {
    return (int) count();
  }

  Whole get(int index) {
    return Whole.own(start + index * step);
  }

  Iterator<Value> iterator() {
    return IntStream.range(0, size()).<Value>mapToObj(this::get).iterator();
  }

  @Override
  public String typeName() {
    return "range";
  }

  @Override
  public boolean isTrue() {
    return size() > 0;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof RangeValue range && range.size() == size() && (size() == 0 || range.start == start && (size() == 1 || range.step == step));
  }

  @Override
  public int hashCode() {
    return size() == 0 ? 0 : Long.hashCode(start) + 31 * size();
  }
}
