package dev.nibble.tokenizer.jinja;

import java.util.List;

/** A tuple; those of the filter groupby have names for their two parts. */
final class TupleValue implements Value {
  private final List<Value> items;
  private final boolean group;
  private final long weight;
  private final int depth;

  /** @param items not changed afterwards */
  TupleValue(List<Value> items) {
    this(items, false);
  }

  TupleValue(List<Value> items, boolean group) {
    this.items = items;
    this.group = group;
    weight = Work.weight(items);
    depth = Work.depth(items);
  }

  static TupleValue of(Value... items) {
    return new TupleValue(List.of(items));
  }

  List<Value> items() {
    return items;
  }

  boolean isGroup() {
    return group;
  }

  @Override
  public String typeName() {
    return "tuple";
  }

  @Override
  public boolean isTrue() {
    return !items.isEmpty();
  }

  @Override
  public long weight() {
    return weight;
  }

  @Override
  public int depth() {
    return depth;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TupleValue tuple && tuple.items.equals(items);
  }

  @Override
  public int hashCode() {
    return items.hashCode();
  }
}
