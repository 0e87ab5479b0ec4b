package dev.nibble.tokenizer.jinja;

/** Variables of a body while it runs. */
final class Frame {
  private final Frame parent; // null at the top and in blocks
  private final Scope scope;
  private final Value[] values; // null where there is none

  private Frame(Frame parent, Scope scope) {
    this.parent = parent;
    this.scope = scope;
    values = new Value[scope.size()];
  }

  static Frame enter(Frame parent, Scope scope, Interpreter interpreter) {
    Frame frame = new Frame(parent, scope);
    for (int slot = 0; slot < frame.values.length; slot++) {
      if (scope.inherits(slot)) {
        frame.values[slot] = parent == null ? interpreter.given(scope.name(slot)) : parent.find(scope.name(slot), interpreter);
      }
    }
    return frame;
  }

  boolean isTop() {
    return parent == null;
  }

  /** A variable's value, or null. */
  Value find(String name, Interpreter interpreter) {
    for (Frame frame = this; frame != null; frame = frame.parent) {
      int slot = frame.scope.slot(name);
      if (slot >= 0) {
        return frame.values[slot];
      }
    }
    return interpreter.given(name);
  }

  void set(String name, Value value) {
    values[scope.slot(name)] = value;
  }
}
