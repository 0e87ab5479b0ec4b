package dev.nibble.tokenizer.jinja;

/**
 * A piece of a template.
 *
 * @param text a name, operator or number as it stands, a string's or the template's text as it is meant
 */
record Token(Kind kind, String text, int position) {
  enum Kind {
    DATA("template data / text"), PRINT_BEGIN("begin of print statement"), PRINT_END("end of print statement"), STATEMENT_BEGIN("begin of statement block"),
    STATEMENT_END("end of statement block"), NAME("name"), STRING("string"), INTEGER("integer"), FLOAT("float"), OPERATOR("operator"), END("end of template");

    private final String shown;

    Kind(String shown) {
      this.shown = shown;
    }

    String shown() {
      return shown;
    }
  }

  boolean isName(String name) {
    return kind == Kind.NAME && text.equals(name);
  }

  boolean isOperator(String operator) {
    return kind == Kind.OPERATOR && text.equals(operator);
  }

  /** As messages name it. */
  String shown() {
    return kind == Kind.NAME || kind == Kind.OPERATOR ? text : kind.shown();
  }
}
