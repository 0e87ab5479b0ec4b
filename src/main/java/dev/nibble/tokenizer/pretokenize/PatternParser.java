package dev.nibble.tokenizer.pretokenize;

import java.util.ArrayList;
import java.util.List;

/**
 * Reads the part of regular expressions that patterns for splitting text are written in: literals, {@code .}-free sets with ranges, {@code \s \S \r \n \t},
 * {@code \p{…}} of general categories, {@code \x{…}}, groups {@code (…) (?:…) (?i:…)}, {@code |}, greedy {@code ? * + {n} {n,m}}, {@code (?!X)} of a single
 * code point, and {@code $} for the end of the text. {@code \s} is Unicode's White_Space.
 */
final class PatternParser {
  private static final int MAX_REPEATS = 1024;

  private final String text;
  private int at;
  private boolean anyCase;

  private PatternParser(String text) {
    this.text = text;
  }

  /**
   * Reads a pattern.
   *
   * @throws IllegalArgumentException naming what is not supported, and where it is
   */
  static Pattern parse(String text) {
    PatternParser parser = new PatternParser(text);
    Pattern pattern = parser.choice();
    if (parser.at < text.length()) {
      throw parser.unsupported("\")\" without \"(\"");
    }
    return pattern;
  }

  private IllegalArgumentException unsupported(String what) {
    return new IllegalArgumentException("unusable pattern: " + what + " at character " + at + " of \"" + text + "\"");
  }

  private boolean take(String expected) {
    boolean there = text.startsWith(expected, at);
    at += there ? expected.length() : 0;
    return there;
  }

  private void require(String expected) {
    if (!take(expected)) {
      throw unsupported("\"" + expected + "\" is missing");
    }
  }

  private Pattern choice() {
    List<Pattern> options = new ArrayList<>();
    do {
      options.add(sequence());
    } while (take("|"));
    return options.size() == 1 ? options.getFirst() : new Pattern.Choice(List.copyOf(options));
  }

  private Pattern sequence() {
    List<Pattern> parts = new ArrayList<>();
    while (at < text.length() && text.charAt(at) != '|' && text.charAt(at) != ')') {
      parts.add(repeated(part()));
    }
    return parts.size() == 1 ? parts.getFirst() : new Pattern.Sequence(List.copyOf(parts));
  }

  private Pattern repeated(Pattern part) {
    Pattern repeat = part;
    if (take("?")) {
      repeat = new Pattern.Repeat(part, 0, 1);
    } else if (take("*")) {
      repeat = new Pattern.Repeat(part, 0, Pattern.UNBOUNDED);
    } else if (take("+")) {
      repeat = new Pattern.Repeat(part, 1, Pattern.UNBOUNDED);
    } else if (take("{")) {
      int least = number();
      int most = take(",") ? number() : least;
      require("}");
      if (most < least || most > MAX_REPEATS) {
        throw unsupported("repetition from " + least + " to " + most + " times");
      }
      repeat = new Pattern.Repeat(part, least, most);
    }
    if (repeat != part && at < text.length() && "?*+{".indexOf(text.charAt(at)) >= 0) {
      throw unsupported("repetition that is not greedy");
    }
    return repeat;
  }

  private int number() {
    int from = at;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9' && at - from < 5) {
      at++;
    }
    if (at == from) {
      throw unsupported("a number is missing");
    }
    return Integer.parseInt(text.substring(from, at));
  }

  private Pattern part() {
    if (take("(?!")) {
      Pattern next = choice();
      require(")");
      if (!(next instanceof Pattern.One one)) {
        throw unsupported("look-ahead for more than one code point");
      }
      return new Pattern.NotBefore(one.set());
    }
    if (take("(?i:")) {
      boolean before = anyCase;
      anyCase = true;
      Pattern group = choice();
      anyCase = before;
      require(")");
      return group;
    }
    if (take("(?:") || take("(")) {
      if (text.startsWith("?", at)) {
        throw unsupported("\"(?\"");
      }
      Pattern group = choice();
      require(")");
      return group;
    }
    if (take("$")) {
      return new Pattern.NotBefore(CharacterSet.ANY);
    }
    if (take("[")) {
      return new Pattern.One(set());
    }
    if ("?*+{}].^".indexOf(text.charAt(at)) >= 0) {
      throw unsupported("\"" + text.charAt(at) + "\"");
    }
    CharacterSet single = single();
    return new Pattern.One(anyCase ? single.anyCase() : single);
  }

  /** The rest of a set after its bracket. */
  private CharacterSet set() {
    boolean negated = take("^");
    CharacterSet all = new CharacterSet(0, List.of(), false);
    while (!take("]")) {
      if (at >= text.length()) {
        throw unsupported("\"]\" is missing");
      }
      if (text.charAt(at) == '[' || text.startsWith("&&", at)) {
        throw unsupported("a set within a set");
      }
      CharacterSet first = single();
      if (at + 1 < text.length() && text.charAt(at) == '-' && text.charAt(at + 1) != ']') {
        at++;
        first = new CharacterSet(0, List.of(new CharacterSet.Range(point(first), point(single()))), false);
      }
      all = all.and(first);
    }
    all = anyCase ? all.anyCase() : all;
    return negated ? all.not() : all;
  }

  private int point(CharacterSet set) {
    if (set.categories() != 0 || set.negated() || set.ranges().size() != 1) {
      throw unsupported("a range that does not begin and end with a code point");
    }
    return set.ranges().getFirst().first();
  }

  private CharacterSet single() {
    if (!take("\\")) {
      int point = text.codePointAt(at);
      at += Character.charCount(point);
      return CharacterSet.of(point);
    }
    if (at >= text.length()) {
      throw unsupported("nothing after \"\\\"");
    }
    char letter = text.charAt(at++);
    return switch (letter) {
      case 'r' -> CharacterSet.of('\r');
      case 'n' -> CharacterSet.of('\n');
      case 't' -> CharacterSet.of('\t');
      case 's' -> CharacterSet.WHITE_SPACE;
      case 'S' -> CharacterSet.WHITE_SPACE.not();
      case 'x' -> CharacterSet.of(Integer.parseInt(braced(), 16));
      case 'p' -> CharacterSet.category(braced());
      default -> {
        if (letter >= 'a' && letter <= 'z' || letter >= 'A' && letter <= 'Z' || letter >= '0' && letter <= '9') {
          throw unsupported("\"\\" + letter + "\"");
        }
        yield CharacterSet.of(letter);
      }
    };
  }

  private String braced() {
    require("{");
    int end = text.indexOf('}', at);
    if (end < 0) {
      throw unsupported("\"}\" is missing");
    }
    String inside = text.substring(at, end);
    at = end + 1;
    return inside;
  }
}
