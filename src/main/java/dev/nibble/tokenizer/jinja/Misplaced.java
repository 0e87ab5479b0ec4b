package dev.nibble.tokenizer.jinja;

/** What is wrong with a template, and at which offset. */
final class Misplaced extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final TemplateException.Kind kind;
  private final int position;

  Misplaced(TemplateException.Kind kind, String message, int position) {
    super(message, null, false, false);
    this.kind = kind;
    this.position = position;
  }

  static Misplaced syntax(String message, int position) {
    return new Misplaced(TemplateException.Kind.SYNTAX, message, position);
  }

  TemplateException.Kind kind() {
    return kind;
  }

  int position() {
    return position;
  }
}
