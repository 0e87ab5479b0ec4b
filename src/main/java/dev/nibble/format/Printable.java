package dev.nibble.format;

/**
 * Strangers' text, such as names and values of a model file, made fit to be shown on a terminal, in a log, a message, a comment or a label: in one line,
 * with every character that is not shown as itself written as an escape, and of bounded length. Text that is printable already stays as it is.
 */
public final class Printable {
  /** Most characters of a message: more than any of ours, and few enough for a line of a log. */
  private static final int MAX_MESSAGE = 1000;
  private static final int ZERO_WIDTH_NON_JOINER = 0x200c; // part of words in several scripts
  private static final int ZERO_WIDTH_JOINER = 0x200d; // likewise, and of emoji

  private Printable() {}

  /** A message that may contain strangers' text, of any length; null stays null. */
  public static String message(String text) {
    return text == null ? null : of(text, MAX_MESSAGE);
  }

  /** Without cutting. */
  public static String of(String text) {
    return of(text, Integer.MAX_VALUE);
  }

  /**
   * Escaped, and where it is longer cut in the middle, as messages end with the name of what they are about.
   *
   * @param most characters of the text to keep
   */
  public static String of(String text, int most) {
    if (text.length() <= most) {
      return escaped(text);
    }
    int head = most * 3 / 4;
    return escaped(text.substring(0, head)) + '…' + escaped(text.substring(text.length() - (most - head)));
  }

  private static String escaped(String text) {
    StringBuilder out = null; // none is needed for most texts
    for (int i = 0; i < text.length();) {
      int c = text.codePointAt(i);
      boolean shown = shown(c);
      if (!shown && out == null) {
        out = new StringBuilder(text.length() + 16).append(text, 0, i);
      }
      if (out != null) {
        if (shown) {
          out.appendCodePoint(c);
        } else {
          escape(c, out);
        }
      }
      i += Character.charCount(c);
    }
    return out == null ? text : out.toString();
  }

  /** Control characters begin terminals' commands, formatting ones reorder or hide what is around them, separators begin lines, lone surrogates are no text. */
  private static boolean shown(int c) {
    return c == ZERO_WIDTH_NON_JOINER || c == ZERO_WIDTH_JOINER || switch (Character.getType(c)) {
      case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> false;
      default -> true;
    };
  }

  /**
   * A generated text for a terminal: lines, tabs and all writing as they are, but no character that begins a terminal's command.
   */
  public static String forTerminal(String text) {
    StringBuilder out = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (Character.isISOControl(c) && c != '\n' && c != '\t') {
        escape(c, out);
      } else {
        out.append(c);
      }
    }
    return out.toString();
  }

  private static void escape(int c, StringBuilder out) {
    switch (c) {
      case '\n' -> out.append("\\n");
      case '\r' -> out.append("\\r");
      case '\t' -> out.append("\\t");
      default -> out.append(String.format(c > Character.MAX_VALUE ? "\\U%08x" : "\\u%04x", c));
    }
  }
}
