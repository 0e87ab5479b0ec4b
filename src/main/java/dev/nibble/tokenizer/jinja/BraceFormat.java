package dev.nibble.tokenizer.jinja;

import java.math.BigInteger;
import java.util.LinkedHashMap;
import java.util.Map;

/** Python's {@code str.format}, through the sandbox. */
final class BraceFormat {
  private static final int MAX_NESTING = 2; // a specification may hold fields, theirs none

  private final Text format;
  private final Arguments arguments;
  private final Interpreter interpreter;
  private int automatic; // next number of a field without one; -1 once fields have numbers

  private BraceFormat(Text format, Arguments arguments, Interpreter interpreter) {
    this.format = format;
    this.arguments = arguments;
    this.interpreter = interpreter;
  }

  static Text format(Text format, Arguments arguments, Interpreter interpreter) {
    return new BraceFormat(format, arguments, interpreter).fields(format, MAX_NESTING).asMarkup(format.isMarkup());
  }

  static Text formatMap(Text format, Value mapping, Interpreter interpreter) {
    if (!(mapping instanceof DictValue dict)) {
      throw TemplateException.type("'" + mapping.typeName() + "' object is not subscriptable");
    }
    Map<String, Value> named = new LinkedHashMap<>();
    dict.entries().forEach((key, value) -> {
      if (key instanceof Text name) {
        named.put(name.value(), value);
      }
    });
    return format(format, new Arguments(java.util.List.of(), named), interpreter);
  }

  private Text fields(Text text, int nesting) {
    if (nesting == 0) {
      throw TemplateException.value("Max string recursion exceeded");
    }
    String value = text.value();
    TextBuilder out = new TextBuilder(interpreter.work());
    for (int i = 0; i < value.length();) {
      char c = value.charAt(i);
      boolean doubled = i + 1 < value.length() && value.charAt(i + 1) == c;
      if (c != '{' && c != '}') {
        int end = i;
        while (end < value.length() && value.charAt(end) != '{' && value.charAt(end) != '}') {
          end++;
        }
        out.add(text, i, end);
        i = end;
      } else if (doubled) {
        out.add(text, i, i + 1);
        i += 2;
      } else if (c == '}') {
        throw TemplateException.value("Single '}' encountered in format string");
      } else {
        int end = end(value, i + 1);
        out.add(field(text.substring(i + 1, end), nesting));
        i = end + 1;
      }
    }
    return out.text();
  }

  /** The brace that ends a field. */
  private static int end(String value, int from) {
    if (from >= value.length()) {
      throw TemplateException.value("Single '{' encountered in format string");
    }
    int depth = 1;
    for (int i = from; i < value.length(); i++) {
      depth += value.charAt(i) == '{' ? 1 : value.charAt(i) == '}' ? -1 : 0;
      if (depth == 0) {
        return i;
      }
    }
    throw TemplateException.value("expected '}' before end of string");
  }

  private Text field(Text field, int nesting) {
    String value = field.value();
    int end = 0;
    int brackets = 0;
    while (end < value.length() && (brackets > 0 || value.charAt(end) != '!' && value.charAt(end) != ':')) {
      brackets += value.charAt(end) == '[' ? 1 : value.charAt(end) == ']' && brackets > 0 ? -1 : 0;
      end++;
    }
    Value found = lookUp(value.substring(0, end));
    Work work = interpreter.work();
    if (end < value.length() && value.charAt(end) == '!') {
      char letter = end + 1 < value.length() ? value.charAt(end + 1) : ' ';
      if (end + 2 < value.length() && value.charAt(end + 2) != ':') {
        throw TemplateException.value("expected ':' after conversion specifier");
      }
      found = switch (letter) {
        case 's' -> Printer.str(found, work);
        case 'r' -> Printer.repr(found, work);
        case 'a' -> ascii(Printer.repr(found, work), work);
        default -> throw TemplateException.value("Unknown conversion specifier " + letter);
      };
      end += 2;
    }
    Text specification = end < value.length() ? fields(field.substring(end + 1, value.length()), nesting - 1) : Text.EMPTY;
    Text formatted = found instanceof Text text && text.isMarkup() && format.isMarkup() ? text : FormatSpecification.apply(found, specification, work);
    return format.isMarkup() ? Markup.escape(formatted, work).asMarkup(false) : formatted.asMarkup(false);
  }

  private Value lookUp(String path) {
    int end = 0;
    while (end < path.length() && path.charAt(end) != '.' && path.charAt(end) != '[') {
      end++;
    }
    String first = path.substring(0, end);
    Value found = first(first, path);
    while (end < path.length()) {
      if (path.charAt(end) == '.') {
        int from = ++end;
        while (end < path.length() && path.charAt(end) != '.' && path.charAt(end) != '[') {
          end++;
        }
        requireName(from, end);
        found = Attributes.get(found, path.substring(from, end), interpreter);
      } else {
        int from = ++end;
        int close = path.indexOf(']', from);
        if (close < 0) {
          throw TemplateException.value("Missing ']' in format string");
        }
        requireName(from, close);
        String key = path.substring(from, close);
        found = Attributes.item(found, isNumber(key) ? Numbers.parseWhole(Text.own(key), 10) : Text.own(key), interpreter);
        end = close + 1;
        if (end < path.length() && path.charAt(end) != '.' && path.charAt(end) != '[') {
          throw TemplateException.value("Only '.' or '[' may follow ']' in format field specifier");
        }
      }
    }
    return found;
  }

  private static void requireName(int from, int to) {
    if (from == to) {
      throw TemplateException.value("Empty attribute in format string");
    }
  }

  private static boolean isNumber(String key) {
    return !key.isEmpty() && key.chars().allMatch(c -> c >= '0' && c <= '9');
  }

  /** The value that a field begins with. Only a field that is empty as a whole counts on, and only one that is a number as a whole ends the counting, as in Python 3.11. */
  private Value first(String name, String path) {
    if (path.isEmpty() ? automatic < 0 : isNumber(path) && automatic > 0) {
      throw TemplateException.value("cannot switch from manual field specification to automatic field numbering"); // the same words in both directions
    }
    if (!path.isEmpty() && !isNumber(name)) {
      Value found = arguments.named().get(name);
      if (found == null) {
        throw new TemplateException(TemplateException.Kind.KEY, Printer.quoted(name));
      }
      return found;
    }
    int index = path.isEmpty() ? automatic++ : name.length() > 9 ? Integer.MAX_VALUE : Integer.parseInt(name);
    if (isNumber(path)) {
      automatic = -1;
    }
    if (index >= arguments.positional().size()) {
      throw new TemplateException(TemplateException.Kind.INDEX, "Replacement index " + index + " out of range for positional args tuple");
    }
    return arguments.positional().get(index);
  }

  /** With what is not ASCII as escapes. */
  static Text ascii(Text text, Work work) {
    TextBuilder out = new TextBuilder(work);
    for (int i = 0; i < text.value().length();) {
      int c = text.value().codePointAt(i);
      int next = i + Character.charCount(c);
      if (c < 0x80) {
        out.add(text, i, next);
      } else {
        out.add(c < 0x100 ? "\\x" + Printer.hex(c, 2) : c < 0x10000 ? "\\u" + Printer.hex(c, 4) : "\\U" + Printer.hex(c, 8), false);
      }
      i = next;
    }
    return out.text();
  }

  /** Python's mini-language of formats: {@code [[fill]align][sign][#][0][width][grouping][.precision][type]}. */
  private static final class FormatSpecification {
    private final String all;
    private int at;
    private Text fill = Text.own(" ");
    private char align;
    private char sign = '-';
    private boolean alternate;
    private char grouping;
    private int width;
    private int precision = -1;
    private char type;

    static Text apply(Value value, Text specification, Work work) {
      if (specification.isEmpty()) {
        return Printer.str(value, work).asMarkup(false);
      }
      if (!(value instanceof Text) && !Numbers.isNumber(value)) {
        throw TemplateException.type("unsupported format string passed to " + value.typeName() + ".__format__");
      }
      return new FormatSpecification(specification, value, work).format(value, work);
    }

    private FormatSpecification(Text specification, Value value, Work work) {
      all = specification.value();
      int first = all.isEmpty() ? 0 : Character.charCount(all.codePointAt(0));
      if (all.length() > first && "<>=^".indexOf(all.charAt(first)) >= 0) {
        fill = specification.substring(0, first);
        align = all.charAt(first);
        at = first + 1;
      } else if (at < all.length() && "<>=^".indexOf(all.charAt(at)) >= 0) {
        align = all.charAt(at++);
      }
      if (at < all.length() && "+- ".indexOf(all.charAt(at)) >= 0) {
        sign = all.charAt(at++);
        if (value instanceof Text) {
          throw TemplateException.value((sign == ' ' ? "Space" : "Sign") + " not allowed in string format specifier");
        }
      }
      if (take('z')) {
        throw TemplateException.unsupported("the option z of formats");
      }
      alternate = take('#');
      if (take('0') && align == 0) {
        fill = Text.own("0");
        align = value instanceof Text ? '<' : '=';
      }
      width = number();
      if (at < all.length() && (all.charAt(at) == ',' || all.charAt(at) == '_')) {
        grouping = all.charAt(at++);
      }
      if (take('.')) {
        int before = at;
        precision = number();
        if (at == before) {
          throw TemplateException.value("Format specifier missing precision");
        }
      }
      type = at < all.length() ? all.charAt(at++) : 0;
      if (at < all.length()) {
        throw TemplateException.value("Invalid format specifier");
      }
      work.text(0, width);
      if (precision > NumberFormat.MAX_PRECISION && !(value instanceof Text)) {
        throw TemplateException.limit("a precision of more than " + NumberFormat.MAX_PRECISION);
      }
    }

    private boolean take(char c) {
      if (at < all.length() && all.charAt(at) == c) {
        at++;
        return true;
      }
      return false;
    }

    private int number() {
      long number = 0;
      while (at < all.length() && all.charAt(at) >= '0' && all.charAt(at) <= '9') {
        number = number * 10 + all.charAt(at++) - '0';
        if (number > Integer.MAX_VALUE) {
          throw TemplateException.value("Too many decimal digits in format string");
        }
      }
      return (int) number;
    }

    private Text format(Value value, Work work) {
      if (value instanceof Text text) {
        if (type != 0 && type != 's') {
          throw unknown(value);
        }
        if (alternate || grouping != 0 || align == '=') {
          throw TemplateException.value((alternate ? "Alternate form (#)" : grouping != 0 ? "Cannot specify '" + grouping + "' with 's'." : "'=' alignment")
              + (grouping != 0 && !alternate ? "" : " not allowed in string format specifier"));
        }
        Text cut = precision >= 0 && precision < text.length() ? text.substring(0, text.offset(precision)) : text;
        return aligned(cut, align == 0 ? '<' : align, work);
      }
      boolean own = Numbers.isOwn(value);
      work.spend(1000);
      if (value instanceof Real || "eEfFgG%".indexOf(type) >= 0 && type != 0) {
        return number(Numbers.real(value), value, own, work);
      }
      if (precision >= 0) {
        throw TemplateException.value("Precision not allowed in integer format specifier");
      }
      BigInteger whole = Numbers.whole(value);
      if (type == 'c') {
        if (whole.signum() < 0 || whole.bitLength() > 21 || whole.intValue() > Character.MAX_CODE_POINT) {
          throw new TemplateException(TemplateException.Kind.OVERFLOW, "%c arg not in range(0x110000)");
        }
        return aligned(new Text(Character.toString(whole.intValue()), own ? Origin.OWN : Origin.FOREIGN, false), align == 0 ? '<' : align, work);
      }
      if (type != 0 && "dnxXob".indexOf(type) < 0) {
        throw unknown(value);
      }
      if (grouping == ',' && "xXob".indexOf(type) >= 0 && type != 0) {
        throw TemplateException.value("Cannot specify ',' with '" + type + "'.");
      }
      String digits = NumberFormat.whole(whole.abs(), type);
      return signed(whole.signum() < 0, alternate ? NumberFormat.prefix(type) : "", digits, "xXob".indexOf(type) >= 0 && type != 0 ? 4 : 3, own, work);
    }

    private Text number(double number, Value value, boolean own, Work work) {
      double size = Math.abs(number);
      String digits = switch (type) {
        case 0 -> precision < 0 ? Numbers.digits(size) : withPoint(NumberFormat.real(size, 'g', precision, alternate));
        case 'e', 'E', 'f', 'F', 'g', 'G' -> NumberFormat.real(size, type, precision < 0 ? 6 : precision, alternate);
        case 'n' -> NumberFormat.real(size, 'g', precision < 0 ? 6 : precision, alternate);
        case '%' -> NumberFormat.real(size * 100, 'f', precision < 0 ? 6 : precision, alternate) + "%";
        default -> throw unknown(value);
      };
      return signed(Double.doubleToRawLongBits(number) < 0 && !Double.isNaN(number), "", digits, 3, own, work);
    }

    private static String withPoint(String digits) {
      return digits.chars().allMatch(c -> c >= '0' && c <= '9') ? digits + ".0" : digits;
    }

    private Text signed(boolean negative, String prefix, String digits, int group, boolean own, Work work) {
      String before = (negative ? "-" : sign == '-' ? "" : Character.toString(sign)) + prefix;
      String number = grouping == 0 ? digits : NumberFormat.grouped(digits, grouping, group);
      if (align == '=' && before.length() + number.length() < width) {
        if (grouping != 0 && fill.value().equals("0")) {
          // Zeros are grouped as well, and no group is left empty.
          String filled = digits;
          while (before.length() + NumberFormat.grouped(filled, grouping, group).length() < width) {
            filled = "0" + filled;
            work.spend(filled.length());
          }
          number = NumberFormat.grouped(filled, grouping, group);
        } else {
          number = fill.value().repeat(width - before.length() - number.length()) + number;
        }
      }
      return aligned(new Text(before + number, own ? Origin.OWN : Origin.FOREIGN, false), align == 0 ? '>' : align, work);
    }

    private Text aligned(Text text, char how, Work work) {
      return TextMethods.padded(text, how == '<' ? "ljust" : how == '^' ? "format" : "rjust", width, fill, work);
    }

    private TemplateException unknown(Value value) {
      return TemplateException.value("Unknown format code '" + type + "' for object of type '" + value.typeName() + "'");
    }
  }
}
