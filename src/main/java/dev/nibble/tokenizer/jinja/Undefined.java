package dev.nibble.tokenizer.jinja;

/**
 * What stands for a name or an attribute that is not there: it is written as nothing, and fails when something is done with it.
 *
 * @param kind what it fails with
 * @param message what is not there
 */
record Undefined(TemplateException.Kind kind, String message) implements Value {
  static Undefined because(String message) {
    return new Undefined(TemplateException.Kind.UNDEFINED, message);
  }

  static Undefined name(String name) {
    return because(Printer.quoted(name) + " is undefined");
  }

  /** An attribute or element that a value has not. */
  static Undefined member(Value of, Value name) {
    String owner = of == None.NONE ? "None" : of.typeName() + " object";
    return because(name instanceof Text text ? "'" + owner + "' has no attribute " + Printer.quoted(text.value()) : owner + " has no element " + Printer.brief(name));
  }

  /** An attribute that leads out of the sandbox, or would change a value. */
  static Undefined unsafe(Value of, String name) {
    return new Undefined(TemplateException.Kind.SECURITY, "access to attribute " + Printer.quoted(name) + " of '" + of.typeName() + "' object is unsafe.");
  }

  TemplateException failure() {
    return new TemplateException(kind, message);
  }

  @Override
  public String typeName() {
    return "Undefined";
  }

  @Override
  public boolean isTrue() {
    return false;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Undefined;
  }

  @Override
  public int hashCode() {
    return 7;
  }
}
