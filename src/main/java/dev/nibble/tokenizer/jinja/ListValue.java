package dev.nibble.tokenizer.jinja;

import java.util.List;

/** A list. */
final class ListValue implements Value {
  private final List<Value> items;
  private final long weight;
  private final int depth;

  /** @param items not changed afterwards */
  ListValue(List<Value> items) {
    this.items = items;
    weight = Work.weight(items);
    depth = Work.depth(items);
  }

  List<Value> items() {
    return items;
  }

  @Override
  public String typeName() {
    return "list";
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
}
