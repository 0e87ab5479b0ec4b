package dev.nibble.tokenizer.jinja;

/** {@code self}: the template's blocks, by name. */
record Blocks(Interpreter interpreter) implements Value {
  /** A block to call, or null if there is none of that name. */
  Value get(String name) {
    return interpreter.block(name);
  }

  @Override
  public String typeName() {
    return "TemplateReference";
  }

  @Override
  public boolean isTrue() {
    return true;
  }
}
