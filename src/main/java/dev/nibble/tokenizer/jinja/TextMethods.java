package dev.nibble.tokenizer.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.function.IntPredicate;

/** Methods of Python's str. */
final class TextMethods {
  private static final Set<String> NAMES = Set.of("capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs", "find", "format", "format_map", "index",
      "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper", "join", "ljust", "lower",
      "lstrip", "maketrans", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines",
      "startswith", "strip", "swapcase", "title", "translate", "upper", "zfill");
  private static final Signature SPLIT = Signature.of("split", 0, "sep", "maxsplit");
  private static final Signature SPLIT_LINES = Signature.of("splitlines", 0, "keepends");
  private static final Signature EXPAND_TABS = Signature.of("expandtabs", 0, "tabsize");

  private TextMethods() {}

  static boolean has(String name) {
    return NAMES.contains(name);
  }

  static Value call(String name, Text self, Arguments arguments, Interpreter interpreter) {
    Work work = interpreter.work();
    work.spend(self.value().length());
    return switch (name) {
      case "upper" -> upper(none(self, name, arguments), work);
      case "lower" -> lower(none(self, name, arguments), work);
      case "capitalize" -> capitalize(none(self, name, arguments), work);
      case "title" -> title(none(self, name, arguments), work);
      case "swapcase" -> swapCase(none(self, name, arguments), work);
      case "casefold" -> mapped(none(self, name, arguments), c -> lowered(uppered(c)), work);
      case "strip" -> strip(self, name, arguments, true, true, work);
      case "lstrip" -> strip(self, name, arguments, true, false, work);
      case "rstrip" -> strip(self, name, arguments, false, true, work);
      case "split" -> {
        Value[] given = SPLIT.bind(arguments);
        int most = given[1] == null ? -1 : Numbers.index(given[1]);
        yield new ListValue(split(self, separator(given[0]), most, work));
      }
      case "rsplit" -> {
        Value[] given = SPLIT.bind(arguments);
        int most = given[1] == null ? -1 : Numbers.index(given[1]);
        yield new ListValue(splitFromRight(self, separator(given[0]), most, work));
      }
      case "splitlines" -> {
        Value[] given = SPLIT_LINES.bind(arguments);
        yield new ListValue(List.copyOf(lines(self, given[0] != null && given[0].isTrue(), work)));
      }
      case "partition" -> partition(self, text(arguments.only("str.partition", 1, 1).getFirst()), false, work);
      case "rpartition" -> partition(self, text(arguments.only("str.rpartition", 1, 1).getFirst()), true, work);
      case "startswith" -> Truth.of(matchesEnd(self, arguments.only("startswith", 1, 3), true, work));
      case "endswith" -> Truth.of(matchesEnd(self, arguments.only("endswith", 1, 3), false, work));
      case "find" -> Whole.own(find(self, arguments.only("find", 1, 3), false, work));
      case "rfind" -> Whole.own(find(self, arguments.only("rfind", 1, 3), true, work));
      case "index" -> found(find(self, arguments.only("index", 1, 3), false, work));
      case "rindex" -> found(find(self, arguments.only("rindex", 1, 3), true, work));
      case "count" -> Whole.own(count(self, arguments.only("count", 1, 3), work));
      case "replace" -> {
        List<Value> given = arguments.only("str.replace", 2, 3);
        Text by = text(given.get(1));
        Text replaced = replace(self, text(given.get(0)), self.isMarkup() ? Markup.escape(by, work) : by, given.size() > 2 ? Numbers.index(given.get(2)) : -1, work);
        yield replaced.asMarkup(self.isMarkup());
      }
      case "join" -> join(self, Sequences.iterator(arguments.only("str.join", 1, 1).getFirst()), work);
      case "center", "ljust", "rjust" -> {
        List<Value> given = arguments.only("str." + name, 1, 2);
        yield padded(self, name, Numbers.index(given.get(0)), given.size() > 1 ? text(given.get(1)) : Text.own(" "), work);
      }
      case "zfill" -> zeroFilled(self, Numbers.index(arguments.only("str.zfill", 1, 1).getFirst()), work);
      case "removeprefix" -> {
        Text prefix = text(arguments.only("str.removeprefix", 1, 1).getFirst());
        yield self.value().startsWith(prefix.value()) ? self.substring(prefix.value().length(), self.value().length()) : self;
      }
      case "removesuffix" -> {
        Text suffix = text(arguments.only("str.removesuffix", 1, 1).getFirst());
        yield self.value().endsWith(suffix.value()) ? self.substring(0, self.value().length() - suffix.value().length()) : self;
      }
      case "expandtabs" -> {
        Value[] given = EXPAND_TABS.bind(arguments);
        yield expandTabs(self, given[0] == null ? 8 : Numbers.index(given[0]), work);
      }
      case "format" -> BraceFormat.format(self, arguments, interpreter);
      case "format_map" -> BraceFormat.formatMap(self, arguments.only("format_map", 1, 1).getFirst(), interpreter);
      case "isalpha" -> all(self, name, arguments, Character::isLetter);
      case "isalnum" -> all(self, name, arguments, c -> Character.isLetter(c) || Characters.isNumeric(c));
      case "isdecimal" -> all(self, name, arguments, Character::isDigit);
      case "isdigit" -> all(self, name, arguments, Characters::isDigit);
      case "isnumeric" -> all(self, name, arguments, Characters::isNumeric);
      case "isspace" -> all(self, name, arguments, Characters::isSpace);
      case "isascii" -> Truth.of(none(self, name, arguments).value().chars().allMatch(c -> c < 0x80));
      case "isprintable" -> Truth.of(none(self, name, arguments).value().codePoints().allMatch(Characters::isPrintable));
      case "isidentifier" -> Truth.of(Characters.isIdentifier(none(self, name, arguments).value()));
      case "islower" -> Truth.of(isCase(none(self, name, arguments).value(), false));
      case "isupper" -> Truth.of(isCase(none(self, name, arguments).value(), true));
      case "istitle" -> Truth.of(isTitle(none(self, name, arguments).value()));
      default -> throw TemplateException.unsupported("str." + name); // encode, maketrans, translate
    };
  }

  private static Text none(Text self, String name, Arguments arguments) {
    arguments.only("str." + name, 0, 0);
    return self;
  }

  static Text text(Value value) {
    if (value instanceof Text text) {
      return text;
    }
    throw TemplateException.type("must be str, not " + value.typeName());
  }

  private static Truth all(Text self, String name, Arguments arguments, IntPredicate kind) {
    return Truth.of(!none(self, name, arguments).isEmpty() && self.value().codePoints().allMatch(kind));
  }

  // Case

  private static String uppered(int c) {
    return Character.toString(c).toUpperCase(Locale.ROOT);
  }

  private static String lowered(int c) {
    return Character.toString(c).toLowerCase(Locale.ROOT);
  }

  private static String lowered(String text) {
    return text.toLowerCase(Locale.ROOT);
  }

  /** A sigma that ends a word has a small letter of its own. */
  private static String loweredAt(String text, int at) {
    int c = text.codePointAt(at);
    if (c != 'Σ') {
      return lowered(c);
    }
    int before = at;
    while (before > 0 && isIgnoredForCase(text.codePointBefore(before))) {
      before -= Character.charCount(text.codePointBefore(before));
    }
    int after = at + 1;
    while (after < text.length() && isIgnoredForCase(text.codePointAt(after))) {
      after += Character.charCount(text.codePointAt(after));
    }
    boolean ends = before > 0 && Characters.isCased(text.codePointBefore(before)) && (after == text.length() || !Characters.isCased(text.codePointAt(after)));
    return ends ? "ς" : "σ";
  }

  private static boolean isIgnoredForCase(int c) {
    return "'.:^`\u00a8\u00ad\u00af\u00b4\u00b7\u00b8\u2018\u2019\u2024\u2027".indexOf(c) >= 0 || switch (Character.getType(c)) {
      case Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.FORMAT, Character.MODIFIER_LETTER, Character.MODIFIER_SYMBOL -> true;
      default -> false;
    };
  }

  private static Text swapCase(Text text, Work work) {
    String value = text.value();
    TextBuilder out = new TextBuilder(work);
    for (int i = 0; i < value.length();) {
      int c = value.codePointAt(i);
      out.add(Character.isUpperCase(c) ? loweredAt(value, i) : Character.isLowerCase(c) ? uppered(c) : Character.toString(c), text.origin().isOwn(i));
      i += Character.charCount(c);
    }
    return out.text(text.isMarkup());
  }

  private static String titled(int c) {
    int simple = Character.toTitleCase(c);
    String upper = uppered(c);
    return simple != c || upper.codePointCount(0, upper.length()) == 1 ? Character.toString(simple)
        : upper.substring(0, upper.offsetByCodePoints(0, 1)) + lowered(upper.substring(upper.offsetByCodePoints(0, 1)));
  }

  static Text upper(Text text, Work work) {
    return mapped(text, text.value().toUpperCase(Locale.ROOT), TextMethods::uppered, work);
  }

  static Text lower(Text text, Work work) {
    return mapped(text, lowered(text.value()), TextMethods::lowered, work);
  }

  static Text capitalize(Text text, Work work) {
    if (text.isEmpty()) {
      return text;
    }
    int first = Character.charCount(text.value().codePointAt(0));
    Text head = text.substring(0, first);
    return new TextBuilder(work).add(mapped(head, TextMethods::titled, work)).add(lower(text, work), lowered(head.value()).length(), lowered(text.value()).length())
        .text(text.isMarkup());
  }

  private static Text title(Text text, Work work) {
    String value = text.value();
    TextBuilder out = new TextBuilder(work);
    boolean afterCased = false;
    for (int i = 0; i < value.length();) {
      int c = value.codePointAt(i);
      boolean own = text.origin().isOwn(i);
      out.add(afterCased ? loweredAt(value, i) : titled(c), own);
      afterCased = Characters.isCased(c);
      i += Character.charCount(c);
    }
    return out.text(text.isMarkup());
  }

  /** Another case for each character. */
  private static Text mapped(Text text, IntFunction<String> each, Work work) {
    TextBuilder out = new TextBuilder(work);
    for (int i = 0; i < text.value().length();) {
      int c = text.value().codePointAt(i);
      out.add(each.apply(c), text.origin().isOwn(i));
      i += Character.charCount(c);
    }
    return out.text(text.isMarkup());
  }

  /** Another case for the whole, in which each character takes as many as by itself. */
  private static Text mapped(Text text, String changed, IntFunction<String> each, Work work) {
    work.text(0, changed.length());
    if (text.origin().isUniform()) {
      return text.with(changed);
    }
    TextBuilder out = new TextBuilder(work);
    int at = 0;
    for (int i = 0; i < text.value().length();) {
      int c = text.value().codePointAt(i);
      int size = each.apply(c).length();
      if (at + size > changed.length()) {
        return Text.foreign(changed);
      }
      out.add(changed.substring(at, at + size), text.origin().isOwn(i));
      at += size;
      i += Character.charCount(c);
    }
    return at == changed.length() ? out.text(text.isMarkup()) : Text.foreign(changed);
  }

  static boolean isCase(String text, boolean upper) {
    boolean cased = false;
    for (int i = 0; i < text.length();) {
      int c = text.codePointAt(i);
      if (upper ? Character.isLowerCase(c) || Character.isTitleCase(c) : Character.isUpperCase(c) || Character.isTitleCase(c)) {
        return false;
      }
      cased |= upper ? Character.isUpperCase(c) : Character.isLowerCase(c);
      i += Character.charCount(c);
    }
    return cased;
  }

  private static boolean isTitle(String text) {
    boolean cased = false;
    boolean afterCased = false;
    for (int i = 0; i < text.length();) {
      int c = text.codePointAt(i);
      boolean upper = Character.isUpperCase(c) || Character.isTitleCase(c);
      boolean lower = Character.isLowerCase(c);
      if (upper && afterCased || lower && !afterCased) {
        return false;
      }
      afterCased = upper || lower;
      cased |= afterCased;
      i += Character.charCount(c);
    }
    return cased;
  }

  // Cutting

  private static Text strip(Text self, String name, Arguments arguments, boolean left, boolean right, Work work) {
    List<Value> given = arguments.only("str." + name, 0, 1);
    return strip(self, given.isEmpty() ? None.NONE : given.getFirst(), left, right, work);
  }

  /** @param letters those to strip; None for white space */
  static Text strip(Text text, Value letters, boolean left, boolean right, Work work) {
    if (letters != None.NONE && !(letters instanceof Text)) {
      throw TemplateException.type("strip arg must be None or str");
    }
    String value = text.value();
    work.spend(value.length());
    IntPredicate stripped = letters instanceof Text some ? c -> some.value().indexOf(c) >= 0 : Characters::isSpace;
    if (letters instanceof Text some) {
      work.spend((long) value.length() * some.value().length() / 16);
    }
    int from = 0;
    int to = value.length();
    while (left && from < to && stripped.test(value.codePointAt(from))) {
      from += Character.charCount(value.codePointAt(from));
    }
    while (right && to > from && stripped.test(value.codePointBefore(to))) {
      to -= Character.charCount(value.codePointBefore(to));
    }
    work.text(0, to - from);
    return text.substring(from, to);
  }

  private static Text separator(Value value) {
    if (value == null || value == None.NONE) {
      return null;
    }
    Text separator = text(value);
    if (separator.isEmpty()) {
      throw TemplateException.value("empty separator");
    }
    return separator;
  }

  /** @param separator null for white space @param most splits; negative for all */
  private static List<Value> split(Text text, Text separator, int most, Work work) {
    if (separator == null) {
      return List.copyOf(words(text, most, work));
    }
    work.search(text, separator);
    List<Value> parts = new ArrayList<>();
    int from = 0;
    for (int at; (most < 0 || parts.size() < most) && (at = text.value().indexOf(separator.value(), from)) >= 0; from = at + separator.value().length()) {
      add(parts, text, from, at, work);
    }
    add(parts, text, from, text.value().length(), work);
    return parts;
  }

  private static void add(List<Value> parts, Text text, int from, int to, Work work) {
    work.elements(1);
    work.text(0, to - from);
    parts.add(text.substring(from, to));
  }

  /** What lies between white space. */
  static List<Text> words(Text text, int most, Work work) {
    String value = text.value();
    List<Text> words = new ArrayList<>();
    int at = Characters.afterSpace(value, 0);
    while (at < value.length()) {
      work.elements(1);
      int end = at;
      if (most >= 0 && words.size() == most) {
        end = value.length();
      } else {
        while (end < value.length() && !Characters.isSpace(value.charAt(end))) {
          end++;
        }
      }
      work.text(0, end - at);
      words.add(text.substring(at, end));
      at = Characters.afterSpace(value, end);
    }
    return words;
  }

  private static List<Value> splitFromRight(Text text, Text separator, int most, Work work) {
    if (most < 0) {
      return split(text, separator, most, work);
    }
    String value = text.value();
    List<Value> parts = new ArrayList<>();
    int to = value.length();
    if (separator == null) {
      to = Characters.beforeSpace(value, 0, to);
      while (to > 0) {
        int from = to;
        if (parts.size() == most) {
          from = 0;
        } else {
          while (from > 0 && !Characters.isSpace(value.charAt(from - 1))) {
            from--;
          }
        }
        add(parts, text, from, to, work);
        to = parts.size() > most ? 0 : Characters.beforeSpace(value, 0, from);
      }
      return parts.reversed();
    }
    work.search(text, separator);
    for (int at; parts.size() < most && (at = to < separator.value().length() ? -1 : value.lastIndexOf(separator.value(), to - separator.value().length())) >= 0; to = at) {
      add(parts, text, at + separator.value().length(), to, work);
    }
    add(parts, text, 0, to, work);
    return parts.reversed();
  }

  static List<Text> lines(Text text, boolean keepEnds, Work work) {
    String value = text.value();
    List<Text> lines = new ArrayList<>();
    int from = 0;
    while (from < value.length()) {
      int end = from;
      while (end < value.length() && !Characters.isLineEnd(value.charAt(end))) {
        end++;
      }
      int next = end == value.length() ? end : end + (value.startsWith("\r\n", end) ? 2 : 1);
      work.elements(1);
      work.text(0, next - from);
      lines.add(text.substring(from, keepEnds ? next : end));
      from = next;
    }
    return lines;
  }

  private static Value partition(Text text, Text separator, boolean last, Work work) {
    if (separator.isEmpty()) {
      throw TemplateException.value("empty separator");
    }
    work.search(text, separator);
    work.text(0, text.value().length());
    int at = last ? text.value().lastIndexOf(separator.value()) : text.value().indexOf(separator.value());
    if (at < 0) {
      Text empty = Text.EMPTY.asMarkup(text.isMarkup());
      return last ? TupleValue.of(empty, empty, text) : TupleValue.of(text, empty, empty);
    }
    int end = at + separator.value().length();
    return TupleValue.of(text.substring(0, at), text.substring(at, end), text.substring(end, text.value().length()));
  }

  // Searching

  /** A part of a text by code points, as start and end of Python's searches name it. */
  private static int[] region(Text text, List<Value> given) {
    int length = text.length();
    int from = given.size() > 1 && given.get(1) != None.NONE ? Numbers.index(given.get(1)) : 0;
    int to = given.size() > 2 && given.get(2) != None.NONE ? Numbers.index(given.get(2)) : length;
    to = to > length ? length : to < 0 ? Math.max(0, to + length) : to;
    from = from < 0 ? Math.max(0, from + length) : from;
    return from > length || from > to ? null : new int[] {text.offset(from), text.offset(to)};
  }

  private static boolean matchesEnd(Text text, List<Value> given, boolean start, Work work) {
    int[] region = region(text, given);
    if (given.getFirst() instanceof TupleValue several) {
      for (Value one : several.items()) {
        if (matches(text, text(one), region, start, work)) {
          return true;
        }
      }
      return false;
    }
    if (!(given.getFirst() instanceof Text part)) {
      throw TemplateException.type((start ? "startswith" : "endswith") + " first arg must be str or a tuple of str, not " + given.getFirst().typeName());
    }
    return matches(text, part, region, start, work);
  }

  private static boolean matches(Text text, Text part, int[] region, boolean start, Work work) {
    work.spend(part.value().length());
    if (region == null || region[1] - region[0] < part.value().length()) {
      return false;
    }
    return text.value().startsWith(part.value(), start ? region[0] : region[1] - part.value().length());
  }

  private static long find(Text text, List<Value> given, boolean last, Work work) {
    Text part = text(given.getFirst());
    work.search(text, part);
    int[] region = region(text, given);
    if (region == null) {
      return -1;
    }
    int at = last ? text.value().substring(region[0], region[1]).lastIndexOf(part.value()) : text.value().indexOf(part.value(), region[0], region[1]);
    return at < 0 ? -1 : text.index(last ? at + region[0] : at);
  }

  private static Value found(long index) {
    if (index < 0) {
      throw TemplateException.value("substring not found");
    }
    return Whole.own(index);
  }

  private static long count(Text text, List<Value> given, Work work) {
    Text part = text(given.getFirst());
    work.search(text, part);
    int[] region = region(text, given);
    if (region == null) {
      return 0;
    }
    if (part.isEmpty()) {
      return text.value().codePointCount(region[0], region[1]) + 1L;
    }
    long count = 0;
    for (int at = region[0]; (at = text.value().indexOf(part.value(), at, region[1])) >= 0; at += part.value().length()) {
      count++;
    }
    return count;
  }

  // Putting together

  static Text replace(Text text, Text old, Text by, int most, Work work) {
    work.search(text, old);
    String value = text.value();
    TextBuilder out = new TextBuilder(work);
    int from = 0;
    int done = 0;
    if (old.isEmpty()) {
      while (from < value.length() && (most < 0 || done < most)) {
        int next = from + Character.charCount(value.codePointAt(from));
        out.add(by).add(text, from, next);
        from = next;
        done++;
      }
      if (from == value.length() && (most < 0 || done < most)) {
        out.add(by);
      }
    } else {
      for (int at; (most < 0 || done < most) && (at = value.indexOf(old.value(), from)) >= 0; from = at + old.value().length()) {
        out.add(text, from, at).add(by);
        done++;
      }
    }
    return out.add(text, from, value.length()).text(text.isMarkup());
  }

  private static Text join(Text separator, Iterator<Value> items, Work work) {
    TextBuilder out = new TextBuilder(work);
    for (int i = 0; items.hasNext(); i++) {
      Value item = items.next();
      if (!(item instanceof Text text)) {
        if (separator.isMarkup()) {
          out.add(i == 0 ? Text.EMPTY : separator).add(Markup.escape(item, work));
          continue;
        }
        throw TemplateException.type("sequence item " + i + ": expected str instance, " + item.typeName() + " found");
      }
      work.spend(1);
      out.add(i == 0 ? Text.EMPTY : separator).add(separator.isMarkup() ? Markup.escape(text, work) : text);
    }
    return out.text(separator.isMarkup());
  }

  static Text padded(Text text, String how, int width, Text fill, Work work) {
    if (fill.length() != 1) {
      throw TemplateException.type("The fill character must be exactly one character long");
    }
    int missing = width - text.length();
    if (missing <= 0 || width < 0) {
      return text;
    }
    int left = switch (how) {
      case "center" -> missing / 2 + (missing & width & 1);
      case "ljust" -> 0;
      case "format" -> missing / 2; // format's way to the middle
      default -> missing;
    };
    work.text(0, (long) missing + text.value().length());
    boolean own = fill.isOwn(0, 1);
    return new TextBuilder(work).add(fill.value().repeat(left), own).add(text).add(fill.value().repeat(missing - left), own).text(text.isMarkup());
  }

  private static Text zeroFilled(Text text, int width, Work work) {
    int missing = width - text.length();
    if (missing <= 0) {
      return text;
    }
    work.text(0, missing);
    int sign = text.value().startsWith("-") || text.value().startsWith("+") ? 1 : 0;
    return new TextBuilder(work).add(text, 0, sign).add("0".repeat(missing), true).add(text, sign, text.value().length()).text(text.isMarkup());
  }

  private static Text expandTabs(Text text, int size, Work work) {
    TextBuilder out = new TextBuilder(work);
    int column = 0;
    for (int i = 0; i < text.value().length();) {
      int c = text.value().codePointAt(i);
      int next = i + Character.charCount(c);
      if (c == '\t') {
        int spaces = size > 0 ? size - column % size : 0;
        work.text(0, spaces);
        out.add(" ".repeat(spaces), text.origin().isOwn(i));
        column += spaces;
      } else {
        out.add(text, i, next);
        column = c == '\n' || c == '\r' ? 0 : column + 1;
      }
      i = next;
    }
    return out.text(text.isMarkup());
  }
}
