package dev.nibble.tokenizer.jinja;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Locale;

/** Numbers as Python's formats write them; without sign, which callers put before. */
final class NumberFormat {
  static final int MAX_PRECISION = 10_000;

  private NumberFormat() {}

  /** @param letter one of e, E, f, F, g, G @param alternate whether zeros and the point stay */
  static String real(double size, char letter, int precision, boolean alternate) {
    if (!Double.isFinite(size)) {
      String name = Double.isNaN(size) ? "nan" : "inf";
      return Character.isUpperCase(letter) ? name.toUpperCase(Locale.ROOT) : name;
    }
    String exponent = Character.isUpperCase(letter) ? "E" : "e";
    return switch (Character.toLowerCase(letter)) {
      case 'f' -> fixed(size, precision, alternate);
      case 'e' -> scientific(size, precision, alternate, exponent);
      default -> general(size, Math.max(1, precision), alternate, exponent);
    };
  }

  private static String fixed(double size, int precision, boolean alternate) {
    String digits = new BigDecimal(size).setScale(precision, RoundingMode.HALF_EVEN).toPlainString();
    return alternate && precision == 0 ? digits + "." : digits;
  }

  private static String scientific(double size, int precision, boolean alternate, String letter) {
    String digits = "0".repeat(precision + 1);
    int exponent = 0;
    if (size != 0) {
      BigDecimal rounded = new BigDecimal(size).round(new MathContext(precision + 1, RoundingMode.HALF_EVEN));
      String known = rounded.unscaledValue().toString();
      exponent = known.length() - 1 - rounded.scale();
      digits = known + "0".repeat(Math.max(0, precision + 1 - known.length()));
    }
    String written = Numbers.scientific(digits.substring(0, precision + 1), exponent, letter);
    return alternate && precision == 0 ? written.charAt(0) + "." + written.substring(1) : written;
  }

  private static String general(double size, int precision, boolean alternate, String letter) {
    int exponent = 0;
    if (size != 0) {
      BigDecimal rounded = new BigDecimal(size).round(new MathContext(precision, RoundingMode.HALF_EVEN));
      exponent = rounded.precision() - 1 - rounded.scale();
    }
    boolean plain = exponent >= -4 && exponent < precision;
    String written = plain ? fixed(size, precision - 1 - exponent, alternate) : scientific(size, precision - 1, alternate, letter);
    if (alternate) {
      return written;
    }
    int end = plain ? written.length() : written.indexOf(letter);
    String head = written.substring(0, end);
    if (head.indexOf('.') >= 0) {
      head = stripZeros(head);
    }
    return head + written.substring(end);
  }

  private static String stripZeros(String digits) {
    int end = digits.length();
    while (digits.charAt(end - 1) == '0') {
      end--;
    }
    return digits.substring(0, digits.charAt(end - 1) == '.' ? end - 1 : end);
  }

  /** @param letter one of d, x, X, o, b, or i and u for d */
  static String whole(BigInteger size, char letter) {
    return switch (letter) {
      case 'x' -> size.toString(16);
      case 'X' -> size.toString(16).toUpperCase(Locale.ROOT);
      case 'o' -> size.toString(8);
      case 'b' -> size.toString(2);
      default -> Numbers.digits(size);
    };
  }

  static String prefix(char letter) {
    return switch (letter) {
      case 'x' -> "0x";
      case 'X' -> "0X";
      case 'o' -> "0o";
      case 'b' -> "0b";
      default -> "";
    };
  }

  /** A number's digits before the point with a mark between groups. */
  static String grouped(String number, char mark, int size) {
    int end = 0;
    while (end < number.length() && Character.isLetterOrDigit(number.charAt(end)) && number.charAt(end) != 'e') {
      end++;
    }
    StringBuilder out = new StringBuilder(number);
    for (int at = end - size; at > 0; at -= size) {
      out.insert(at, mark);
    }
    return out.toString();
  }
}
