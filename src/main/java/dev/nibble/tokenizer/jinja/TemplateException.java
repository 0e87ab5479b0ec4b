package dev.nibble.tokenizer.jinja;

/**
 * A template that can't be parsed, or fails. Messages are in the words of jinja2 and Python where these have any; they may contain what the template or its
 * variables say, as it is.
 */
public final class TemplateException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What failed, by the classes of errors of jinja2 and Python. */
  public enum Kind {
    /** The template can't be parsed. */
    SYNTAX("TemplateSyntaxError"),
    /** It names a filter or test that there is not, defines a block twice, … */
    ASSERTION("TemplateAssertionError"),
    /** It can be parsed, but for a statement or expression where there can be none, such as a break outside of a loop. */
    PYTHON_SYNTAX("SyntaxError"),
    /** The template refuses its variables, by {@code raise_exception}: the message is the template's. */
    RAISED("TemplateError"),
    UNDEFINED("UndefinedError"), RUNTIME("TemplateRuntimeError"), SECURITY("SecurityError"), FILTER_ARGUMENT("FilterArgumentError"), TYPE("TypeError"), VALUE("ValueError"),
    KEY("KeyError"), INDEX("IndexError"), ATTRIBUTE("AttributeError"), PYTHON_ASSERTION("AssertionError"), ZERO_DIVISION("ZeroDivisionError"), OVERFLOW("OverflowError"),
    /** It takes more steps, makes more text, or is nested deeper than is allowed. */
    LIMIT("LimitError"),
    /** It uses a part of Python that is not there. */
    UNSUPPORTED("NotSupportedError");

    private final String className;

    Kind(String className) {
      this.className = className;
    }

    /** The class in jinja2 or Python. */
    public String className() {
      return className;
    }
  }

  private final Kind kind;
  private final int line;
  private final int column;

  TemplateException(Kind kind, String message) {
    this(kind, message, 0, 0);
  }

  TemplateException(Kind kind, String message, int line, int column) {
    super(message, null, false, false);
    this.kind = kind;
    this.line = line;
    this.column = column;
  }

  static TemplateException type(String message) {
    return new TemplateException(Kind.TYPE, message);
  }

  static TemplateException value(String message) {
    return new TemplateException(Kind.VALUE, message);
  }

  static TemplateException unsupported(String what) {
    return new TemplateException(Kind.UNSUPPORTED, what + " is not supported");
  }

  static TemplateException limit(String message) {
    return new TemplateException(Kind.LIMIT, message);
  }

  public Kind kind() {
    return kind;
  }

  /** Line of the template, from 1; 0 if it has no place. */
  public int line() {
    return line;
  }

  /** Column of the template, in UTF-16 characters from 1. */
  public int column() {
    return column;
  }
}
