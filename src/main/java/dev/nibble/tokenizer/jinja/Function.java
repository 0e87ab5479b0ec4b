package dev.nibble.tokenizer.jinja;

/** A function of the environment, or a method of a value. */
record Function(String typeName, String name, Builtin body) implements Callable {
  @Override
  public Value call(Interpreter interpreter, Arguments arguments) {
    return body.call(interpreter, arguments);
  }

  @Override
  public boolean equals(Object other) {
    return this == other;
  }

  @Override
  public int hashCode() {
    return System.identityHashCode(this);
  }
}
