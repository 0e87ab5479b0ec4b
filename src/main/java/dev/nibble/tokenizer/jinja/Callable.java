package dev.nibble.tokenizer.jinja;

/** A value that can be called. */
non-sealed interface Callable extends Value {
  Value call(Interpreter interpreter, Arguments arguments);

  /** An attribute, or null if it has none of that name. */
  default Value attribute(String name) {
    return null;
  }

  @Override
  default boolean isTrue() {
    return true;
  }
}
