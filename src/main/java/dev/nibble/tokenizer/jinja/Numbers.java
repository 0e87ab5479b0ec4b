package dev.nibble.tokenizer.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;

/** Integers, floating-point numbers and truth values, compared, computed, read and written as in Python. */
final class Numbers {
  private static final BigInteger LONGEST = BigInteger.TEN.pow(4300); // Python writes and reads no integers with more digits

  private Numbers() {}

  static boolean isNumber(Value value) {
    return value instanceof Whole || value instanceof Real || value instanceof Truth;
  }

  static boolean isWhole(Value value) {
    return value instanceof Whole || value instanceof Truth;
  }

  /** An integer's or truth value's integer. */
  static BigInteger whole(Value value) {
    return switch (value) {
      case Whole whole -> whole.value();
      case Truth truth -> truth.number();
      default -> throw TemplateException.type("'" + value.typeName() + "' object cannot be interpreted as an integer");
    };
  }

  /** A number as a double. */
  static double real(Value value) {
    if (value instanceof Real real) {
      return real.value();
    }
    double real = whole(value).doubleValue();
    if (Double.isInfinite(real)) {
      throw new TemplateException(TemplateException.Kind.OVERFLOW, "int too large to convert to float");
    }
    return real;
  }

  /** Whether the digits of a result of these are the template's own. */
  static boolean isOwn(Value value) {
    return switch (value) {
      case Whole whole -> whole.own();
      case Real real -> real.own();
      default -> true;
    };
  }

  static boolean equal(Value a, Value b) {
    if (!isNumber(a) || !isNumber(b)) {
      return false;
    }
    if (isWhole(a) && isWhole(b)) {
      return whole(a).equals(whole(b));
    }
    return !isNaN(a) && !isNaN(b) && compare(a, b) == 0;
  }

  static boolean isNaN(Value value) {
    return value instanceof Real real && Double.isNaN(real.value());
  }

  /** Exactly, of numbers that are not NaN. */
  static int compare(Value a, Value b) {
    if (a instanceof Real x && b instanceof Real y) {
      return x.value() < y.value() ? -1 : x.value() > y.value() ? 1 : 0;
    }
    if (a instanceof Real x) {
      return Double.isInfinite(x.value()) ? (x.value() > 0 ? 1 : -1) : new BigDecimal(x.value()).compareTo(new BigDecimal(whole(b)));
    }
    return b instanceof Real ? -compare(b, a) : whole(a).compareTo(whole(b));
  }

  /** An integer for an index or a count; those that do not fit become the nearest that does. */
  static int index(Value value) {
    BigInteger whole = whole(value);
    return whole.bitLength() < Integer.SIZE ? whole.intValue() : whole.signum() < 0 ? Integer.MIN_VALUE : Integer.MAX_VALUE;
  }

  /** Refuses integers that are too large to compute with. */
  static Whole checked(BigInteger value, boolean own) {
    if (value.bitLength() > Work.MAX_BITS) {
      throw TemplateException.limit("it makes an integer of more than " + Work.MAX_BITS + " bits");
    }
    return new Whole(value, own);
  }

  static String digits(BigInteger value) {
    if (value.abs().compareTo(LONGEST) >= 0) {
      throw TemplateException.value("Exceeds the limit (4300 digits) for integer string conversion");
    }
    return value.toString();
  }

  /** The shortest digits that give the same number, as Python's repr. */
  static String digits(double value) {
    if (Double.isNaN(value)) {
      return "nan";
    }
    if (Double.isInfinite(value)) {
      return value > 0 ? "inf" : "-inf";
    }
    String sign = Double.doubleToRawLongBits(value) < 0 ? "-" : "";
    if (value == 0) {
      return sign + "0.0";
    }
    double size = Math.abs(value);
    BigDecimal decimal = new BigDecimal(Double.toString(size)).stripTrailingZeros();
    if (decimal.precision() == 2) { // Java writes two digits at least
      BigDecimal shorter = decimal.round(new MathContext(1, RoundingMode.HALF_EVEN));
      decimal = shorter.doubleValue() == size ? shorter.stripTrailingZeros() : decimal;
    }
    String digits = decimal.unscaledValue().toString();
    int point = digits.length() - decimal.scale();
    return sign + (point > -4 && point <= 16 ? fixed(digits, point, true) : scientific(digits, point - 1, "e"));
  }

  /** Digits with a point after so many of them. */
  static String fixed(String digits, int point, boolean alwaysPoint) {
    if (point <= 0) {
      return "0." + "0".repeat(-point) + digits;
    }
    if (point >= digits.length()) {
      return digits + "0".repeat(point - digits.length()) + (alwaysPoint ? ".0" : "");
    }
    return digits.substring(0, point) + "." + digits.substring(point);
  }

  static String scientific(String digits, int exponent, String letter) {
    String size = Integer.toString(Math.abs(exponent));
    return digits.charAt(0) + (digits.length() > 1 ? "." + digits.substring(1) : "") + letter + (exponent < 0 ? "-" : "+") + (size.length() < 2 ? "0" : "") + size;
  }

  /** Python's {@code round(value, digits)}. */
  static Value round(Value value, int digits) {
    if (value instanceof Real real) {
      if (!Double.isFinite(real.value()) || digits > 400) {
        return real;
      }
      double rounded = digits < -400 ? 0 : new BigDecimal(real.value()).setScale(digits, RoundingMode.HALF_EVEN).doubleValue();
      if (Double.isInfinite(rounded)) {
        throw new TemplateException(TemplateException.Kind.OVERFLOW, "rounded value too large to represent");
      }
      return new Real(Math.copySign(rounded, real.value()), real.own());
    }
    BigInteger whole = whole(value);
    if (digits >= 0) {
      return new Whole(whole, isOwn(value));
    }
    return digits < -Work.MAX_BITS ? new Whole(BigInteger.ZERO, isOwn(value))
        : new Whole(new BigDecimal(whole).setScale(digits, RoundingMode.HALF_EVEN).toBigInteger(), isOwn(value));
  }

  /** Python's {@code int(value)} of a float. */
  static Whole truncated(Real real) {
    if (Double.isNaN(real.value())) {
      throw TemplateException.value("cannot convert float NaN to integer");
    }
    if (Double.isInfinite(real.value())) {
      throw new TemplateException(TemplateException.Kind.OVERFLOW, "cannot convert float infinity to integer");
    }
    return new Whole(new BigDecimal(real.value()).toBigInteger(), real.own());
  }

  /** Python's {@code int(text, base)}. */
  static Whole parseWhole(Text text, int base) {
    if (base != 0 && (base < 2 || base > 36)) {
      throw TemplateException.value("int() base must be >= 2 and <= 36, or 0");
    }
    String all = Characters.strip(text.value());
    int at = 0;
    boolean negative = all.startsWith("-");
    if (negative || all.startsWith("+")) {
      at++;
    }
    int radix = base;
    String prefix = all.length() > at + 1 && all.charAt(at) == '0' ? all.substring(at + 1, at + 2).toLowerCase(java.util.Locale.ROOT) : "";
    int named = prefix.equals("x") ? 16 : prefix.equals("o") ? 8 : prefix.equals("b") ? 2 : 0;
    if (named != 0 && (base == 0 || base == named)) {
      radix = named;
      at += 2;
      if (at < all.length() && all.charAt(at) == '_') {
        at++;
      }
    }
    boolean leadingZero = base == 0 && named == 0 && all.length() > at && all.charAt(at) == '0';
    StringBuilder digits = new StringBuilder();
    boolean afterDigit = false;
    while (at < all.length()) {
      int c = all.codePointAt(at);
      at += Character.charCount(c);
      if (c == '_' && afterDigit && at < all.length()) {
        afterDigit = false;
        continue;
      }
      int digit = Character.digit(c, radix == 0 ? 10 : radix);
      if (digit < 0) {
        digits.setLength(0);
        break;
      }
      afterDigit = true;
      digits.append(Character.forDigit(digit, 36));
    }
    if (digits.isEmpty() || !afterDigit || leadingZero && !digits.toString().matches("0+")) {
      throw TemplateException.value("invalid literal for int() with base " + base + ": " + Printer.brief(text));
    }
    if (digits.length() > 4300 && Integer.bitCount(radix == 0 ? 10 : radix) != 1 || digits.length() > Work.MAX_BITS / 5) {
      throw TemplateException.value("Exceeds the limit (4300 digits) for integer string conversion");
    }
    BigInteger value = new BigInteger(digits.toString(), radix == 0 ? 10 : radix);
    return new Whole(negative ? value.negate() : value, text.isOwn(0, text.value().length()));
  }

  /** Python's {@code float(text)}. */
  static Real parseReal(Text text) {
    String all = Characters.strip(text.value()).toLowerCase(java.util.Locale.ROOT);
    String plain = readableReal(all);
    if (plain == null) {
      throw TemplateException.value("could not convert string to float: " + Printer.brief(text));
    }
    boolean own = text.isOwn(0, text.value().length());
    String size = plain.startsWith("-") || plain.startsWith("+") ? plain.substring(1) : plain;
    double value = switch (size) {
      case "inf", "infinity" -> Double.POSITIVE_INFINITY;
      case "nan" -> Double.NaN;
      default -> Double.parseDouble(size);
    };
    return new Real(plain.startsWith("-") ? -value : value, own);
  }

  /** The number without underscores and with ASCII digits, or null if it is none. */
  private static String readableReal(String all) {
    String size = all.startsWith("-") || all.startsWith("+") ? all.substring(1) : all;
    if (size.equals("inf") || size.equals("infinity") || size.equals("nan")) {
      return all;
    }
    StringBuilder out = new StringBuilder();
    boolean digitBefore = false;
    boolean digits = false; // in this part
    boolean anyDigits = false; // before the exponent
    boolean point = false;
    boolean exponent = false;
    for (int i = 0; i < all.length();) {
      int c = all.codePointAt(i);
      int next = i + Character.charCount(c);
      int digit = Character.digit(c, 10);
      if (digit >= 0) {
        out.append((char) ('0' + digit));
        digits = true;
        anyDigits |= !exponent;
        digitBefore = true;
      } else if (c == '_' && digitBefore && next < all.length() && Character.digit(all.codePointAt(next), 10) >= 0) {
        digitBefore = false;
      } else {
        boolean sign = (c == '+' || c == '-') && (i == 0 || exponent && all.charAt(i - 1) == 'e');
        boolean dot = c == '.' && !point && !exponent;
        boolean letter = c == 'e' && !exponent && anyDigits;
        if (!sign && !dot && !letter) {
          return null;
        }
        point |= dot;
        if (letter) {
          exponent = true;
          digits = false;
        }
        digitBefore = false;
        out.appendCodePoint(c);
      }
      i = next;
    }
    return digits || !exponent && anyDigits ? out.toString() : null;
  }
}
