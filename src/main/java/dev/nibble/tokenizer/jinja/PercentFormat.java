package dev.nibble.tokenizer.jinja;

import java.math.BigInteger;
import java.util.List;

/** Python's {@code format % values}. */
final class PercentFormat {
  private final Text format;
  private final Value given;
  private final Interpreter interpreter;
  private final TextBuilder out;
  private int at;
  private int used;

  private PercentFormat(Text format, Value given, Interpreter interpreter) {
    this.format = format;
    this.given = given;
    this.interpreter = interpreter;
    out = new TextBuilder(interpreter.work());
  }

  static Text format(Text format, Value given, Interpreter interpreter) {
    return new PercentFormat(format, given, interpreter).run();
  }

  private boolean isMapping() {
    return given instanceof DictValue || given instanceof ListValue || given instanceof RangeValue || given instanceof Undefined;
  }

  private Value next() {
    if (given instanceof TupleValue tuple) {
      if (used == tuple.items().size()) {
        throw TemplateException.type("not enough arguments for format string");
      }
      return tuple.items().get(used++);
    }
    if (used++ > 0) {
      throw TemplateException.type("not enough arguments for format string");
    }
    return given;
  }

  private Text run() {
    String value = format.value();
    boolean named = false;
    for (int from = 0; from < value.length();) {
      int sign = value.indexOf('%', from);
      out.add(format, from, sign < 0 ? value.length() : sign);
      if (sign < 0) {
        break;
      }
      at = sign + 1;
      Value mapped = null;
      if (at < value.length() && value.charAt(at) == '(') {
        mapped = named();
        named = true;
      }
      conversion(mapped);
      from = at;
    }
    int size = given instanceof TupleValue tuple ? tuple.items().size() : 1;
    if (!named && used < size && !(isMapping() && !(given instanceof TupleValue))) {
      throw TemplateException.type("not all arguments converted during string formatting");
    }
    return out.text(format.isMarkup());
  }

  private Value named() {
    if (!isMapping()) {
      throw TemplateException.type("format requires a mapping");
    }
    String value = format.value();
    int depth = 1;
    int from = ++at;
    while (at < value.length() && depth > 0) {
      depth += value.charAt(at) == '(' ? 1 : value.charAt(at) == ')' ? -1 : 0;
      at++;
    }
    if (depth > 0) {
      throw TemplateException.value("incomplete format key");
    }
    Text key = format.substring(from, at - 1);
    if (given instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (!(given instanceof DictValue dict)) {
      throw TemplateException.type(given.typeName() + " indices must be integers or slices, not str");
    }
    Value found = dict.entries().get(Operators.key(key, interpreter.work()));
    if (found == null) {
      throw new TemplateException(TemplateException.Kind.KEY, Printer.brief(key));
    }
    return found;
  }

  private char peek() {
    if (at >= format.value().length()) {
      throw TemplateException.value("incomplete format");
    }
    return format.value().charAt(at);
  }

  private int number(boolean negativeAllowed) {
    if (peek() == '*') {
      at++;
      Value value = next();
      if (!Numbers.isWhole(value)) {
        throw TemplateException.type("* wants int");
      }
      if (Numbers.whole(value).bitLength() >= Long.SIZE) {
        throw new TemplateException(TemplateException.Kind.OVERFLOW, "Python int too large to convert to C ssize_t");
      }
      int number = Numbers.index(value);
      return negativeAllowed ? number : Math.max(0, number);
    }
    long number = 0;
    while (Character.isDigit(peek())) {
      number = Math.min(Integer.MAX_VALUE, number * 10 + Character.digit(peek(), 10));
      at++;
    }
    return (int) number;
  }

  private void conversion(Value mapped) {
    if (peek() == '%' && mapped == null) {
      out.add(format, at, ++at);
      return;
    }
    boolean left = false;
    boolean plus = false;
    boolean space = false;
    boolean alternate = false;
    boolean zero = false;
    for (boolean flags = true; flags;) {
      switch (peek()) {
        case '-' -> left = true;
        case '+' -> plus = true;
        case ' ' -> space = true;
        case '#' -> alternate = true;
        case '0' -> zero = true;
        default -> flags = false;
      }
      at += flags ? 1 : 0;
    }
    int width = number(true);
    if (width < 0) {
      left = true;
      width = width == Integer.MIN_VALUE ? Integer.MAX_VALUE : -width;
    }
    int precision = -1;
    if (peek() == '.') {
      at++;
      precision = number(false);
    }
    if ("hlL".indexOf(peek()) >= 0) {
      at++;
    }
    char letter = peek();
    at++;
    Value value = mapped != null ? mapped : next();
    Work work = interpreter.work();
    switch (letter) {
      case 's', 'r', 'a' -> {
        Text text = letter == 's' ? Printer.str(value, work) : Printer.repr(value, work);
        text = letter == 'a' ? BraceFormat.ascii(text, work) : text;
        text = format.isMarkup() ? Markup.escape(letter == 's' ? text : text.asMarkup(false), work) : text;
        if (precision >= 0 && precision < text.length()) {
          text = text.substring(0, text.offset(precision));
        }
        pad(text.asMarkup(false), left, width);
      }
      case 'c' -> pad(character(value), left, width);
      case 'd', 'i', 'u', 'x', 'X', 'o' -> {
        BigInteger number = whole(value, letter);
        String digits = NumberFormat.whole(number.abs(), letter);
        if (precision > digits.length()) {
          work.text(0, precision);
          digits = "0".repeat(precision - digits.length()) + digits;
        }
        signed(number.signum() < 0, plus, space, alternate ? NumberFormat.prefix(letter) : "", digits, left, zero, width, Numbers.isOwn(value));
      }
      case 'e', 'E', 'f', 'F', 'g', 'G' -> {
        Real number = real(value);
        if (precision > NumberFormat.MAX_PRECISION) {
          throw TemplateException.limit("a precision of more than " + NumberFormat.MAX_PRECISION);
        }
        work.spend(1000);
        String digits = NumberFormat.real(Math.abs(number.value()), letter, precision < 0 ? 6 : precision, alternate);
        boolean negative = Double.doubleToRawLongBits(number.value()) < 0 && !Double.isNaN(number.value());
        signed(negative, plus, space, "", digits, left, zero && Double.isFinite(number.value()), width, number.own());
      }
      default -> throw TemplateException.value("unsupported format character '" + Character.toString(letter) + "' (0x" + Integer.toHexString(letter) + ") at index " + (at - 1));
    }
  }

  private static BigInteger whole(Value value, char letter) {
    boolean decimal = letter == 'd' || letter == 'i' || letter == 'u';
    if (value instanceof Undefined undefined && decimal) {
      throw undefined.failure();
    }
    if (value instanceof Real real && decimal) {
      return Numbers.truncated(real).value();
    }
    if (!Numbers.isWhole(value)) {
      throw TemplateException.type("%" + letter + " format: " + (decimal ? "a real number" : "an integer") + " is required, not " + value.typeName());
    }
    return Numbers.whole(value);
  }

  private static Real real(Value value) {
    if (value instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (!Numbers.isNumber(value)) {
      throw TemplateException.type("must be real number, not " + value.typeName());
    }
    return new Real(Numbers.real(value), Numbers.isOwn(value));
  }

  private static Text character(Value value) {
    if (value instanceof Text text && text.length() == 1) {
      return text;
    }
    if (!Numbers.isWhole(value)) {
      throw TemplateException.type("%c requires int or char");
    }
    int c = Numbers.index(value);
    if (c < 0 || c > Character.MAX_CODE_POINT) {
      throw new TemplateException(TemplateException.Kind.OVERFLOW, "%c arg not in range(0x110000)");
    }
    return new Text(Character.toString(c), Numbers.isOwn(value) ? Origin.OWN : Origin.FOREIGN, false);
  }

  private void signed(boolean negative, boolean plus, boolean space, String prefix, String digits, boolean left, boolean zero, int width, boolean own) {
    String sign = (negative ? "-" : plus ? "+" : space ? " " : "") + prefix;
    int missing = width - sign.length() - digits.length();
    if (zero && !left && missing > 0) {
      interpreter.work().text(0, missing);
      digits = "0".repeat(missing) + digits;
    }
    pad(new Text(sign + digits, own ? Origin.OWN : Origin.FOREIGN, false), left, width);
  }

  private void pad(Text text, boolean left, int width) {
    out.add(TextMethods.padded(text, left ? "ljust" : "rjust", width, Text.own(" "), interpreter.work()));
  }

  /** The filter {@code format}: positional or named values. */
  static Text filter(Text format, Arguments arguments, Interpreter interpreter) {
    List<Value> positional = arguments.positional();
    if (!positional.isEmpty() && !arguments.named().isEmpty()) {
      throw new TemplateException(TemplateException.Kind.FILTER_ARGUMENT, "can't handle positional and keyword arguments at the same time");
    }
    return format(format, arguments.named().isEmpty() ? new TupleValue(positional) : new DictValue(CollectionMethods.entries(arguments, interpreter.work())), interpreter);
  }
}
