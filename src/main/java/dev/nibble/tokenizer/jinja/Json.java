package dev.nibble.tokenizer.jinja;

import java.util.Iterator;
import java.util.List;
import java.util.Optional;

/** Python's {@code json.dumps}. Texts keep their origin; brackets, quotes and the like are nobody's own. */
final class Json {
  private static final Signature TO_JSON = Signature.of("tojson", 1, "x", "ensure_ascii", "indent", "separators", "sort_keys");

  private final TextBuilder out;
  private final Work work;
  private final boolean ascii;
  private final Optional<String> indent;
  private final String between;
  private final String afterKey;
  private final boolean sorted;

  /**
   * How to write.
   *
   * @param indent what each level is indented by; empty for all in one line
   * @param between what stands between elements @param afterKey what stands between a key and its value
   */
  Json(Work work, boolean ascii, Optional<String> indent, String between, String afterKey, boolean sorted) {
    this.work = work;
    this.ascii = ascii;
    this.indent = indent;
    this.between = between;
    this.afterKey = afterKey;
    this.sorted = sorted;
    out = new TextBuilder(work);
  }

  Text write(Value value) {
    write(value, 0);
    return out.text();
  }

  private void write(Value value, int depth) {
    work.enter();
    work.spend(1);
    switch (value) {
      case Text text -> string(text);
      case Whole whole -> out.add(Printer.str(whole, work));
      case Real real -> out.add(new Text(real(real), real.own() ? Origin.OWN : Origin.FOREIGN, false));
      case Truth truth -> out.add(truth.value() ? "true" : "false", true);
      case None none -> out.add("null", true);
      case ListValue list -> items(list.items(), depth);
      case TupleValue tuple -> items(tuple.items(), depth);
      case DictValue dict -> entries(dict, depth);
      default -> throw TemplateException.type("Object of type " + value.typeName() + " is not JSON serializable");
    }
    work.leave();
  }

  private static String real(Real real) {
    return Double.isNaN(real.value()) ? "NaN" : Double.isInfinite(real.value()) ? (real.value() > 0 ? "Infinity" : "-Infinity") : Numbers.digits(real.value());
  }

  private void line(int depth) {
    if (indent.isPresent()) {
      work.text(0, (long) indent.get().length() * depth);
      out.add("\n" + indent.get().repeat(depth), false);
    }
  }

  private void items(List<Value> items, int depth) {
    if (items.isEmpty()) {
      out.add("[]", false);
      return;
    }
    out.add("[", false);
    for (Iterator<Value> each = items.iterator(); each.hasNext();) {
      line(depth + 1);
      write(each.next(), depth + 1);
      out.add(each.hasNext() ? between : "", false);
    }
    line(depth);
    out.add("]", false);
  }

  private void entries(DictValue dict, int depth) {
    if (dict.entries().isEmpty()) {
      out.add("{}", false);
      return;
    }
    out.add("{", false);
    List<Value> keys = List.copyOf(dict.entries().keySet());
    for (Iterator<Value> each = (sorted ? Sorting.sorted(keys, keys, false, work) : keys).iterator(); each.hasNext();) {
      Value key = each.next();
      line(depth + 1);
      string(key(key));
      out.add(afterKey, false);
      write(dict.entries().get(key), depth + 1);
      out.add(each.hasNext() ? between : "", false);
    }
    line(depth);
    out.add("}", false);
  }

  private Text key(Value key) {
    return switch (key) {
      case Text text -> text;
      case Real real -> Text.foreign(real(real));
      case Truth truth -> Text.foreign(truth.value() ? "true" : "false");
      case None none -> Text.foreign("null");
      case Whole whole -> Printer.str(whole, work);
      default -> throw TemplateException.type("keys must be str, int, float, bool or None, not " + key.typeName());
    };
  }

  private void string(Text text) {
    out.add("\"", false);
    String value = text.value();
    int plain = 0;
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      String escape = switch (c) {
        case '"' -> "\\\"";
        case '\\' -> "\\\\";
        case '\n' -> "\\n";
        case '\r' -> "\\r";
        case '\t' -> "\\t";
        case '\b' -> "\\b";
        case '\f' -> "\\f";
        default -> c < 0x20 || ascii && c >= 0x7f ? "\\u" + Printer.hex(c, 4) : null;
      };
      if (escape != null) {
        out.add(text, plain, i).add(escape, false);
        plain = i + 1;
      }
    }
    out.add(text, plain, value.length()).add("\"", false);
  }

  /** The filter {@code tojson} of chat templates. */
  static Value filter(Interpreter interpreter, Arguments arguments) {
    Value[] given = TO_JSON.bind(arguments);
    Optional<String> indent = Optional.empty();
    if (given[2] instanceof Text text) {
      indent = Optional.of(text.value());
    } else if (given[2] != null && given[2] != None.NONE) {
      if (given[2] instanceof Undefined undefined) {
        throw undefined.failure();
      }
      if (!Numbers.isWhole(given[2])) {
        throw TemplateException.type("can't multiply sequence by non-int of type '" + given[2].typeName() + "'");
      }
      int width = Math.max(0, Numbers.index(given[2]));
      interpreter.work().text(0, width);
      indent = Optional.of(" ".repeat(width));
    }
    String between = indent.isPresent() ? "," : ", ";
    String afterKey = ": ";
    if (given[3] != null && given[3] != None.NONE) {
      List<Value> pair = Sequences.unpack(given[3], 2, interpreter.work());
      between = TextMethods.text(pair.get(0)).value();
      afterKey = TextMethods.text(pair.get(1)).value();
    }
    return new Json(interpreter.work(), given[1] != null && given[1].isTrue(), indent, between, afterKey, given[4] != null && given[4].isTrue()).write(given[0]);
  }
}
