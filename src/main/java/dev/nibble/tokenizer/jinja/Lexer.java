package dev.nibble.tokenizer.jinja;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Cuts a template into tokens. What white space around statements and comments goes is decided here: that beside a minus sign, a line end after them, and what
 * stands before them in their line unless something else does.
 */
final class Lexer {
  private static final List<String> OPERATORS = List.of("**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|",
      ",", ";");

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int at;

  private Lexer(String source) {
    this.source = source;
  }

  /** @throws Misplaced if a comment, raw block or string is not closed, or a character can't stand where it does */
  static List<Token> tokens(String source) {
    Lexer lexer = new Lexer(source);
    lexer.run();
    return lexer.tokens;
  }

  private void add(Token.Kind kind, String text, int position) {
    tokens.add(new Token(kind, text, position));
  }

  private void run() {
    while (at < source.length()) {
      int open = nextOpening();
      if (open < 0) {
        add(Token.Kind.DATA, source.substring(at), at);
        at = source.length();
        break;
      }
      char kind = source.charAt(open + 1);
      char sign = open + 2 < source.length() ? source.charAt(open + 2) : ' ';
      boolean signed = sign == '-' || sign == '+';
      data(at, open, signed ? sign : ' ', kind == '{');
      at = open + 2 + (signed ? 1 : 0);
      switch (kind) {
        case '#' -> comment(open);
        case '{' -> code(open, Token.Kind.PRINT_BEGIN, Token.Kind.PRINT_END);
        default -> {
          int raw = afterRaw();
          if (raw >= 0) {
            at = raw;
            raw(open);
          } else {
            code(open, Token.Kind.STATEMENT_BEGIN, Token.Kind.STATEMENT_END);
          }
        }
      }
    }
    add(Token.Kind.END, "", source.length());
  }

  private int nextOpening() {
    for (int open = source.indexOf('{', at); open >= 0; open = source.indexOf('{', open + 1)) {
      if (open + 1 < source.length() && "{%#".indexOf(source.charAt(open + 1)) >= 0) {
        return open;
      }
    }
    return -1;
  }

  /** Text up to a tag, without the white space that the tag takes away. */
  private void data(int from, int to, char sign, boolean print) {
    int end = to;
    if (sign == '-') {
      end = Characters.beforeSpace(source, from, to);
    } else if (sign != '+' && !print) {
      int line = to;
      while (line > from && source.charAt(line - 1) != '\n' && Characters.isSpace(source.charAt(line - 1))) {
        line--;
      }
      if (line == 0 || source.charAt(line - 1) == '\n') {
        end = line;
      }
    }
    if (end > from) {
      add(Token.Kind.DATA, source.substring(from, end), from);
    }
  }

  /** After the end of a tag: a minus sign takes white space away, and nothing but a plus sign keeps a line end. */
  private int after(int close, boolean minus, boolean plus, boolean trims) {
    if (minus) {
      return Characters.afterSpace(source, close);
    }
    return !plus && trims && source.startsWith("\n", close) ? close + 1 : close;
  }

  private void comment(int open) {
    if (at == source.length()) {
      return;
    }
    int close = source.indexOf("#}", at);
    if (close < 0) {
      throw Misplaced.syntax("Missing end of comment tag", open);
    }
    boolean signed = close > at;
    at = after(close + 2, signed && source.charAt(close - 1) == '-', signed && source.charAt(close - 1) == '+', true);
  }

  /** The end of {@code raw %}} here, or -1. */
  private int afterRaw() {
    int name = Characters.afterSpace(source, at);
    if (!source.startsWith("raw", name)) {
      return -1;
    }
    int close = Characters.afterSpace(source, name + 3);
    return source.startsWith("-%}", close) ? Characters.afterSpace(source, close + 3) : source.startsWith("%}", close) ? close + 2 : -1;
  }

  private void raw(int open) {
    if (at == source.length()) {
      return;
    }
    for (int begin = source.indexOf("{%", at); begin >= 0; begin = source.indexOf("{%", begin + 1)) {
      char sign = begin + 2 < source.length() ? source.charAt(begin + 2) : ' ';
      boolean signed = sign == '-' || sign == '+';
      int name = Characters.afterSpace(source, begin + 2 + (signed ? 1 : 0));
      int close = source.startsWith("endraw", name) ? Characters.afterSpace(source, name + 6) : -1;
      boolean endSigned = close >= 0 && (source.startsWith("-", close) || source.startsWith("+", close));
      if (close >= 0 && source.startsWith("%}", close + (endSigned ? 1 : 0))) {
        data(at, begin, signed ? sign : ' ', false);
        char end = source.charAt(close);
        at = after(close + (endSigned ? 3 : 2), end == '-', end == '+', true);
        return;
      }
    }
    throw Misplaced.syntax("Missing end of raw directive", open);
  }

  private void code(int open, Token.Kind begin, Token.Kind end) {
    add(begin, "", open);
    boolean print = begin == Token.Kind.PRINT_BEGIN;
    String closing = print ? "}}" : "%}";
    Deque<Character> brackets = new ArrayDeque<>();
    while (at < source.length()) {
      if (brackets.isEmpty()) {
        char c = source.charAt(at);
        boolean minus = c == '-';
        boolean plus = c == '+' && !print;
        int close = minus || plus ? at + 1 : at;
        if (source.startsWith(closing, close)) {
          add(end, "", at);
          at = after(close + 2, minus, plus, !print);
          return;
        }
      }
      token(brackets);
    }
  }

  private void token(Deque<Character> brackets) {
    int from = at;
    int c = source.codePointAt(at);
    if (Characters.isSpace(c)) {
      at = Characters.afterSpace(source, at);
    } else if (c >= '0' && c <= '9') {
      number();
    } else if (Characters.isNamePart(c)) {
      while (at < source.length() && Characters.isNamePart(source.codePointAt(at))) {
        at += Character.charCount(source.codePointAt(at));
      }
      String name = source.substring(from, at);
      if (!Characters.isIdentifier(name)) {
        throw Misplaced.syntax("Invalid character in identifier", from);
      }
      add(Token.Kind.NAME, name, from);
    } else if (c == '\'' || c == '"') {
      string((char) c);
    } else {
      operator(brackets);
    }
  }

  private void operator(Deque<Character> brackets) {
    for (String operator : OPERATORS) {
      if (source.startsWith(operator, at)) {
        switch (operator) {
          case "(" -> brackets.push(')');
          case "[" -> brackets.push(']');
          case "{" -> brackets.push('}');
          case ")", "]", "}" -> {
            if (brackets.isEmpty()) {
              throw Misplaced.syntax("unexpected '" + operator + "'", at);
            }
            char expected = brackets.pop();
            if (operator.charAt(0) != expected) {
              throw Misplaced.syntax("unexpected '" + operator + "', expected '" + expected + "'", at);
            }
          }
          default -> { }
        }
        add(Token.Kind.OPERATOR, operator, at);
        at += operator.length();
        return;
      }
    }
    throw unexpected();
  }

  private Misplaced unexpected() {
    return Misplaced.syntax("unexpected char " + Printer.quoted(Character.toString(source.codePointAt(at))) + " at " + source.codePointCount(0, at), at);
  }

  private static boolean isDigit(char c, int radix) {
    return c < 0x80 && Character.digit(c, radix) >= 0;
  }

  /** The end of digits with single underscores between them, or {@code from} if there are none. */
  private int digits(int from, int radix, boolean underscoreFirst) {
    int end = from;
    while (end < source.length()) {
      int digit = end < source.length() && source.charAt(end) == '_' && (end > from || underscoreFirst) ? end + 1 : end;
      if (digit >= source.length() || !isDigit(source.charAt(digit), radix)) {
        break;
      }
      end = digit + 1;
    }
    return end;
  }

  private void number() {
    int from = at;
    int whole = digits(at, 10, false);
    boolean afterPoint = at > 0 && source.charAt(at - 1) == '.'; // no fraction begins with one
    int end = whole;
    if (!afterPoint) {
      int fraction = source.startsWith(".", whole) ? digits(whole + 1, 10, false) : whole;
      end = fraction > whole + 1 ? fraction : whole;
      if (end < source.length() && (source.charAt(end) == 'e' || source.charAt(end) == 'E')) {
        int exponent = end + 1;
        if (exponent < source.length() && (source.charAt(exponent) == '+' || source.charAt(exponent) == '-')) {
          exponent++;
        }
        int last = digits(exponent, 10, false);
        end = last > exponent ? last : end;
      }
    }
    if (end > whole) {
      at = end;
      add(Token.Kind.FLOAT, source.substring(from, end).replace("_", ""), from);
      return;
    }
    char letter = source.charAt(from) == '0' && from + 1 < source.length() ? Character.toLowerCase(source.charAt(from + 1)) : ' ';
    int radix = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    if (radix != 10) {
      int last = digits(from + 2, radix, true);
      at = last > from + 2 ? last : from + 1;
    } else {
      at = whole;
      if (source.charAt(from) == '0') { // zeros alone
        at = from + 1;
        while (at < whole && (source.charAt(at) == '0' || source.charAt(at) == '_' && at + 1 < whole && source.charAt(at + 1) == '0')) {
          at++;
        }
      }
    }
    add(Token.Kind.INTEGER, source.substring(from, at).replace("_", ""), from);
  }

  private void string(char quote) {
    int from = at;
    int end = at + 1;
    while (end < source.length() && source.charAt(end) != quote) {
      end += source.charAt(end) == '\\' ? 2 : 1;
    }
    if (end >= source.length()) {
      throw unexpected();
    }
    at = end + 1;
    add(Token.Kind.STRING, unescaped(source.substring(from + 1, end), from), from);
  }

  /** As Python reads the string once what is not ASCII in it is written as escapes. */
  private static String unescaped(String string, int position) {
    if (string.indexOf('\\') < 0) {
      return string;
    }
    StringBuilder out = new StringBuilder(string.length());
    for (int i = 0; i < string.length();) {
      char c = string.charAt(i++);
      if (c != '\\') {
        out.append(c);
        continue;
      }
      char letter = string.charAt(i);
      int next = i + 1;
      switch (letter) {
        case '\n' -> { }
        case '\\', '\'', '"' -> out.append(letter);
        case 'a' -> out.append('\u0007');
        case 'b' -> out.append('\b');
        case 'f' -> out.append('\f');
        case 'n' -> out.append('\n');
        case 'r' -> out.append('\r');
        case 't' -> out.append('\t');
        case 'v' -> out.append('\u000b');
        case 'x' -> next = code(string, next, 2, out, position);
        case 'u' -> next = code(string, next, 4, out, position);
        case 'U' -> next = code(string, next, 8, out, position);
        case 'N' -> throw Misplaced.syntax("names of characters (\\N) are not supported", position);
        case '0', '1', '2', '3', '4', '5', '6', '7' -> {
          int value = 0;
          int last = i;
          while (last < string.length() && last < i + 3 && string.charAt(last) >= '0' && string.charAt(last) <= '7') {
            value = value * 8 + string.charAt(last++) - '0';
          }
          out.appendCodePoint(value);
          next = last;
        }
        default -> {
          int point = string.codePointAt(i);
          next = i + Character.charCount(point);
          out.append('\\');
          if (point < 0x80) {
            out.append(letter);
          } else { // its own escape's backslash is taken by the one before
            out.append(point < 0x100 ? "x" + Printer.hex(point, 2) : point < 0x10000 ? "u" + Printer.hex(point, 4) : "U" + Printer.hex(point, 8));
          }
        }
      }
      i = next;
    }
    return out.toString();
  }

  private static int code(String string, int from, int digits, StringBuilder out, int position) {
    int end = from;
    long value = 0;
    while (end < string.length() && end < from + digits && isDigit(string.charAt(end), 16)) {
      value = value * 16 + Character.digit(string.charAt(end++), 16);
    }
    if (end < from + digits) {
      String shape = digits == 2 ? "\\xXX" : digits == 4 ? "\\uXXXX" : "\\UXXXXXXXX";
      throw Misplaced.syntax("truncated " + shape + " escape", position);
    }
    if (value > Character.MAX_CODE_POINT) {
      throw Misplaced.syntax("illegal Unicode character", position);
    }
    out.appendCodePoint((int) value);
    return end;
  }
}
