package dev.nibble.tokenizer.jinja;

import java.util.Iterator;

/** What gives values once, when they are asked for, such as the filter map's result. It is true however many come. */
final class Generator implements Value {
  private final String typeName;
  private final Iterator<Value> values;

  Generator(String typeName, Iterator<Value> values) {
    this.typeName = typeName;
    this.values = values;
  }

  Iterator<Value> iterator() {
    return values;
  }

  @Override
  public String typeName() {
    return typeName;
  }

  @Override
  public boolean isTrue() {
    return true;
  }
}
