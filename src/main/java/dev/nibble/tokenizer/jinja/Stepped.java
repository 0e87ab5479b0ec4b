package dev.nibble.tokenizer.jinja;

import java.util.Iterator;
import java.util.NoSuchElementException;

/** What a step makes of values, one after the other, as they are asked for. */
final class Stepped implements Iterator<Value> {
  /** A step. */
  @FunctionalInterface
  interface Step {
    /** A value for what comes, or null to leave it out. */
    Value apply(Value value);
  }

  private final Iterator<Value> source;
  private final Step step;
  private final Work work;
  private final int cost;
  private Value next;

  /** @param cost of a step, beside what the step itself spends */
  Stepped(Iterator<Value> source, Step step, Work work, int cost) {
    this.source = source;
    this.step = step;
    this.work = work;
    this.cost = cost;
  }

  @Override
  public boolean hasNext() {
    while (next == null && source.hasNext()) {
      work.spend(cost);
      next = step.apply(source.next());
    }
    return next != null;
  }

  @Override
  public Value next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    Value value = next;
    next = null;
    return value;
  }
}
