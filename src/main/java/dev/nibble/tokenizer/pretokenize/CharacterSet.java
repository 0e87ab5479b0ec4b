package dev.nibble.tokenizer.pretokenize;

import java.util.ArrayList;
import java.util.List;

/**
 * A set of code points: general categories and ranges, or all but those.
 *
 * @param categories bit 2^c for each category c of {@link Character#getType(int)}
 * @param ranges code points, also outside these categories
 * @param negated whether the set is what is named by neither
 */
record CharacterSet(int categories, List<Range> ranges, boolean negated) {
  /** Code points from {@code first} to {@code last}, both included. */
  record Range(int first, int last) {}

  static final CharacterSet ANY = new CharacterSet(0, List.of(), true);
  /** Unicode's property White_Space: beyond ASCII it is the separators and U+0085. */
  static final CharacterSet WHITE_SPACE = new CharacterSet(1 << Character.SPACE_SEPARATOR | 1 << Character.LINE_SEPARATOR | 1 << Character.PARAGRAPH_SEPARATOR,
      List.of(new Range('\t', '\r'), new Range(0x85, 0x85)), false);

  CharacterSet {
    ranges = List.copyOf(ranges);
  }

  static CharacterSet of(int point) {
    return new CharacterSet(0, List.of(new Range(point, point)), false);
  }

  /**
   * The set of {@code \p{name}}.
   *
   * @throws IllegalArgumentException for a name that is not a general category
   */
  static CharacterSet category(String name) {
    int bits = switch (name) {
      case "Lu" -> 1 << Character.UPPERCASE_LETTER;
      case "Ll" -> 1 << Character.LOWERCASE_LETTER;
      case "Lt" -> 1 << Character.TITLECASE_LETTER;
      case "Lm" -> 1 << Character.MODIFIER_LETTER;
      case "Lo" -> 1 << Character.OTHER_LETTER;
      case "L" -> 1 << Character.UPPERCASE_LETTER | 1 << Character.LOWERCASE_LETTER | 1 << Character.TITLECASE_LETTER | 1 << Character.MODIFIER_LETTER | 1 << Character.OTHER_LETTER;
      case "M" -> 1 << Character.NON_SPACING_MARK | 1 << Character.ENCLOSING_MARK | 1 << Character.COMBINING_SPACING_MARK;
      case "Nd" -> 1 << Character.DECIMAL_DIGIT_NUMBER;
      case "N" -> 1 << Character.DECIMAL_DIGIT_NUMBER | 1 << Character.LETTER_NUMBER | 1 << Character.OTHER_NUMBER;
      case "P" -> 1 << Character.CONNECTOR_PUNCTUATION | 1 << Character.DASH_PUNCTUATION | 1 << Character.START_PUNCTUATION | 1 << Character.END_PUNCTUATION
          | 1 << Character.INITIAL_QUOTE_PUNCTUATION | 1 << Character.FINAL_QUOTE_PUNCTUATION | 1 << Character.OTHER_PUNCTUATION;
      case "S" -> 1 << Character.MATH_SYMBOL | 1 << Character.CURRENCY_SYMBOL | 1 << Character.MODIFIER_SYMBOL | 1 << Character.OTHER_SYMBOL;
      default -> throw new IllegalArgumentException("\\p{" + name + "} is not a general category of Unicode that patterns use");
    };
    return new CharacterSet(bits, List.of(), false);
  }

  CharacterSet not() {
    return new CharacterSet(categories, ranges, !negated);
  }

  /** Both sets, neither of them negated. */
  CharacterSet and(CharacterSet other) {
    if (negated || other.negated) {
      throw new IllegalArgumentException("a negated set within a set");
    }
    List<Range> all = new ArrayList<>(ranges);
    all.addAll(other.ranges);
    return new CharacterSet(categories | other.categories, all, false);
  }

  /** The set with what differs from its ASCII letters by case only; the long s and the sign for kelvin fold to letters of ASCII too. */
  CharacterSet anyCase() {
    List<Range> all = new ArrayList<>(ranges);
    for (Range range : ranges) {
      for (int point = range.first; point <= Math.min(range.last, 'z'); point++) {
        if (point >= 'A' && point <= 'Z' || point >= 'a' && point <= 'z') {
          all.add(new Range(point ^ 0x20, point ^ 0x20));
        }
        if ((point | 0x20) == 's') {
          all.add(new Range(0x17F, 0x17F));
        }
        if ((point | 0x20) == 'k') {
          all.add(new Range(0x212A, 0x212A));
        }
      }
    }
    return new CharacterSet(categories, all, negated);
  }

  /** Whether it has a code point of this category. */
  boolean has(int point, int category) {
    boolean named = (categories >>> category & 1) != 0;
    for (int i = 0; i < ranges.size() && !named; i++) {
      named = point >= ranges.get(i).first && point <= ranges.get(i).last;
    }
    return named != negated;
  }
}
