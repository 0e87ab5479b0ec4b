package dev.nibble.tokenizer.jinja;

import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * Writes values as Python's {@code str} and {@code repr} do. Texts in them keep their origin; brackets, quotes and what else comes from writing them is
 * nobody's own, as no special token needs it.
 */
final class Printer {
  private static final int MAX_BRIEF = 60;

  private Printer() {}

  static Text str(Value value, Work work) {
    return switch (value) {
      case Text text -> text;
      case Whole whole -> new Text(Numbers.digits(whole.value()), whole.own() ? Origin.OWN : Origin.FOREIGN, false);
      case Real real -> new Text(Numbers.digits(real.value()), real.own() ? Origin.OWN : Origin.FOREIGN, false);
      case Truth truth -> Text.own(truth.value() ? "True" : "False");
      case None none -> Text.own("None");
      case Undefined undefined -> Text.EMPTY;
      case ListValue list -> repr(value, work);
      case TupleValue tuple -> repr(value, work);
      case DictValue dict -> repr(value, work);
      case DictView view -> repr(value, work);
      case RangeValue range -> repr(value, work);
      case Generator generator -> repr(value, work);
      case Namespace namespace -> repr(value, work);
      case Loop loop -> repr(value, work);
      case Callable callable -> repr(value, work);
      case Blocks blocks -> repr(value, work);
    };
  }

  /** {@link #str} that is not marked as ready for HTML. */
  static Text plain(Value value, Work work) {
    return str(value, work).asMarkup(false);
  }

  static Text repr(Value value, Work work) {
    TextBuilder out = new TextBuilder(work);
    repr(value, out, work, false);
    return out.text();
  }

  /** @param sorted whether the keys of dicts are sorted, as pprint does */
  static void repr(Value value, TextBuilder out, Work work, boolean sorted) {
    work.enter();
    work.spend(1);
    switch (value) {
      case Text text -> quote(text, out);
      case Whole whole -> out.add(str(value, work));
      case Real real -> out.add(str(value, work));
      case Truth truth -> out.add(str(value, work));
      case None none -> out.add("None", true);
      case Undefined undefined -> out.add("Undefined", false);
      case ListValue list -> items(list.items().iterator(), "[", "]", out, work, sorted);
      case TupleValue tuple -> items(tuple.items().iterator(), "(", tuple.items().size() == 1 ? ",)" : ")", out, work, sorted);
      case DictValue dict -> entries(dict, out, work, sorted);
      case DictView view -> items(view.iterator(), view.typeName() + "([", "])", out, work, sorted);
      case RangeValue range -> out.add("range(" + range.start() + ", " + range.stop() + (range.step() == 1 ? "" : ", " + range.step()) + ")", false);
      case Generator generator -> out.add("<" + generator.typeName() + " object>", false);
      case Namespace namespace -> {
        out.add("<Namespace ", false);
        attributes(namespace, out, work, sorted);
        out.add(">", false);
      }
      case Loop loop -> out.add("<LoopContext " + loop.index() + "/" + loop.length() + ">", false);
      case Macro macro -> out.add("<Macro " + macro.shownName() + ">", false);
      case Callable callable -> out.add("<" + callable.typeName() + ">", false);
      case Blocks blocks -> out.add("<TemplateReference None>", false);
    }
    work.leave();
  }

  private static void items(Iterator<Value> items, String before, String after, TextBuilder out, Work work, boolean sorted) {
    out.add(before, false);
    while (items.hasNext()) {
      repr(items.next(), out, work, sorted);
      if (items.hasNext()) {
        out.add(", ", false);
      }
    }
    out.add(after, false);
  }

  private static void entries(DictValue dict, TextBuilder out, Work work, boolean sorted) {
    out.add("{", false);
    boolean first = true;
    List<Value> keys = List.copyOf(dict.entries().keySet());
    for (Value key : sorted ? Sorting.sorted(keys, keys, false, work) : keys) {
      out.add(first ? "" : ", ", false);
      first = false;
      repr(key, out, work, sorted);
      out.add(": ", false);
      repr(dict.entries().get(key), out, work, sorted);
    }
    out.add("}", false);
  }

  private static void attributes(Namespace namespace, TextBuilder out, Work work, boolean sorted) {
    out.add("{", false);
    boolean first = true;
    for (Map.Entry<String, Value> entry : namespace.attributes().entrySet()) {
      out.add((first ? "" : ", ") + quoted(entry.getKey()) + ": ", false);
      first = false;
      repr(entry.getValue(), out, work, sorted);
    }
    out.add("}", false);
  }

  private static void quote(Text text, TextBuilder out) {
    out.add(text.isMarkup() ? "Markup(" : "", false);
    String value = text.value();
    char quote = value.indexOf('\'') >= 0 && value.indexOf('"') < 0 ? '"' : '\'';
    out.add(quote, false);
    int plain = 0; // since where characters stand for themselves
    for (int i = 0; i < value.length();) {
      int c = value.codePointAt(i);
      int next = i + Character.charCount(c);
      if (c == quote || c == '\\' || !Characters.isPrintable(c)) {
        out.add(text, plain, i);
        out.add(escaped(c), false);
        plain = next;
      }
      i = next;
    }
    out.add(text, plain, value.length());
    out.add(quote, false);
    out.add(text.isMarkup() ? ")" : "", false);
  }

  private static String escaped(int c) {
    return switch (c) {
      case '\n' -> "\\n";
      case '\r' -> "\\r";
      case '\t' -> "\\t";
      case '\\', '\'', '"' -> "\\" + (char) c;
      default -> "\\" + (c < 0x100 ? "x" + hex(c, 2) : c < 0x10000 ? "u" + hex(c, 4) : "U" + hex(c, 8));
    };
  }

  static String hex(int value, int digits) {
    String hex = Integer.toHexString(value);
    return "0".repeat(Math.max(0, digits - hex.length())) + hex;
  }

  /** A name or text as in Python's messages. */
  static String quoted(String text) {
    StringBuilder out = new StringBuilder();
    char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
    out.append(quote);
    text.codePoints().forEach(c -> {
      if (c == quote || c == '\\' || !Characters.isPrintable(c)) {
        out.append(escaped(c));
      } else {
        out.appendCodePoint(c);
      }
    });
    return out.append(quote).toString();
  }

  /** A value for a message: a text's beginning, a number, else its type. */
  static String brief(Value value) {
    return switch (value) {
      case Text text -> quoted(text.value().length() <= MAX_BRIEF ? text.value() : text.value().substring(0, MAX_BRIEF) + "…");
      case Whole whole -> whole.value().bitLength() < Long.SIZE ? whole.value().toString() : "a long integer";
      case Real real -> Numbers.digits(real.value());
      case Truth truth -> truth.value() ? "True" : "False";
      case None none -> "None";
      default -> value.typeName();
    };
  }
}
