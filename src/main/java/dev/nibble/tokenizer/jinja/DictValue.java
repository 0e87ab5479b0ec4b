package dev.nibble.tokenizer.jinja;

import java.util.LinkedHashMap;
import java.util.Map;

/** A dict, in the order of its keys. */
final class DictValue implements Value {
  private final Map<Value, Value> entries;
  private final long weight;
  private final int depth;

  /** @param entries not changed afterwards */
  DictValue(Map<Value, Value> entries) {
    this.entries = entries;
    weight = Work.weight(entries.values()) + entries.size();
    depth = Math.max(Work.depth(entries.values()), Work.depth(entries.keySet()));
  }

  static DictValue empty() {
    return new DictValue(new LinkedHashMap<>());
  }

  Map<Value, Value> entries() {
    return entries;
  }

  @Override
  public String typeName() {
    return "dict";
  }

  @Override
  public boolean isTrue() {
    return !entries.isEmpty();
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
