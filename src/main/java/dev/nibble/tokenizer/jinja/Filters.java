package dev.nibble.tokenizer.jinja;

import static java.util.Map.entry;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/** jinja2's filters, but for random, which has no one result, and urlize. */
final class Filters {
  private static final Map<String, Builtin> ALL = Map.ofEntries(entry("abs", Filters::abs), entry("attr", Filters::attr), entry("batch", Filters::batch),
      entry("capitalize", text("do_capitalize", TextMethods::capitalize)), entry("center", Filters::center), entry("count", Filters::length), entry("d", Filters::orDefault),
      entry("default", Filters::orDefault), entry("dictsort", Filters::dictSort), entry("e", Filters::escape), entry("escape", Filters::escape),
      entry("filesizeformat", Filters::fileSize), entry("first", Filters::first), entry("float", Filters::toReal), entry("forceescape", Filters::forceEscape),
      entry("format", Filters::format), entry("groupby", Filters::groupBy), entry("indent", Filters::indent), entry("int", Filters::toWhole), entry("join", Filters::join),
      entry("last", Filters::last), entry("length", Filters::length), entry("list", Filters::list), entry("lower", text("do_lower", TextMethods::lower)),
      entry("items", Filters::items), entry("map", Filters::map), entry("min", (in, arguments) -> extreme(in, arguments, false)),
      entry("max", (in, arguments) -> extreme(in, arguments, true)), entry("pprint", Filters::prettyPrint),
      entry("reject", (in, arguments) -> select(in, arguments, false, false)), entry("rejectattr", (in, arguments) -> select(in, arguments, false, true)),
      entry("replace", Filters::replace), entry("reverse", Filters::reverse), entry("round", Filters::round), entry("safe", Filters::safe),
      entry("select", (in, arguments) -> select(in, arguments, true, false)), entry("selectattr", (in, arguments) -> select(in, arguments, true, true)),
      entry("slice", Filters::slice), entry("sort", Filters::sort), entry("string", Filters::string), entry("striptags", Filters::stripTags), entry("sum", Filters::sum),
      entry("title", text("do_title", Filters::title)), entry("trim", Filters::trim), entry("truncate", Filters::truncate), entry("unique", Filters::unique),
      entry("upper", text("do_upper", TextMethods::upper)), entry("urlencode", Filters::urlEncode), entry("wordcount", Filters::wordCount), entry("wordwrap", Filters::wordWrap),
      entry("xmlattr", Filters::xmlAttributes), entry("tojson", Json::filter));

  private static final Signature ONE = Signature.of("filter", 1, "value");
  private static final Signature LENGTH = Signature.of("len", 1, "obj");
  private static final Signature ATTR = Signature.of("do_attr", 2, "obj", "name");
  private static final Signature BATCH = Signature.of("do_batch", 2, "value", "linecount", "fill_with");
  private static final Signature CENTER = Signature.of("do_center", 1, "value", "width");
  private static final Signature DEFAULT = Signature.of("do_default", 1, "value", "default_value", "boolean");
  private static final Signature DICT_SORT = Signature.of("do_dictsort", 1, "value", "case_sensitive", "by", "reverse");
  private static final Signature FILE_SIZE = Signature.of("do_filesizeformat", 1, "value", "binary");
  private static final Signature REAL = Signature.of("do_float", 1, "value", "default");
  private static final Signature GROUP_BY = Signature.of("do_groupby", 2, "value", "attribute", "default", "case_sensitive");
  private static final Signature INDENT = Signature.of("do_indent", 1, "s", "width", "first", "blank");
  private static final Signature WHOLE = Signature.of("do_int", 1, "value", "default", "base");
  private static final Signature JOIN = Signature.of("do_join", 1, "value", "d", "attribute");
  private static final Signature REPLACE = Signature.of("do_replace", 3, "s", "old", "new", "count");
  private static final Signature ROUND = Signature.of("do_round", 1, "value", "precision", "method");
  private static final Signature SLICE = Signature.of("do_slice", 2, "value", "slices", "fill_with");
  private static final Signature SORT = Signature.of("do_sort", 1, "value", "reverse", "case_sensitive", "attribute");
  private static final Signature SUM = Signature.of("do_sum", 1, "iterable", "attribute", "start");
  private static final Signature TRIM = Signature.of("do_trim", 1, "value", "chars");
  private static final Signature TRUNCATE = Signature.of("do_truncate", 1, "s", "length", "killwords", "end", "leeway");
  private static final Signature BY_ATTRIBUTE = Signature.of("filter", 1, "value", "case_sensitive", "attribute");
  private static final Signature WORD_WRAP = Signature.of("do_wordwrap", 1, "s", "width", "break_long_words", "wrapstring", "break_on_hyphens");
  private static final Signature XML = Signature.of("do_xmlattr", 1, "d", "autospace");

  private Filters() {}

  static boolean has(String name) {
    return ALL.containsKey(name);
  }

  /** The filter of this name, or null. */
  static Builtin find(String name) {
    return ALL.get(name);
  }

  /** A filter that is given by its name when the template runs. */
  private static Builtin named(Value name) {
    Builtin found = name instanceof Text text ? ALL.get(text.value()) : null;
    if (found == null) {
      throw new TemplateException(TemplateException.Kind.RUNTIME, "No filter named " + Printer.brief(name) + ".");
    }
    return found;
  }

  // Helpers

  @FunctionalInterface
  private interface TextChange {
    Text apply(Text text, Work work);
  }

  private static Builtin text(String name, TextChange change) {
    Signature signature = Signature.of(name, 1, "s");
    return (in, arguments) -> {
      Text text = Printer.str(signature.bind(arguments)[0], in.work());
      in.work().spend(text.value().length());
      return change.apply(text, in.work());
    };
  }

  private static boolean given(Value value) {
    return value != null && value != None.NONE;
  }

  private static boolean isTrue(Value value) {
    return value != null && value.isTrue();
  }

  /** An argument that Python takes as an integer. */
  private static boolean flag(Value value) {
    return value != null && Numbers.whole(value).signum() != 0;
  }

  /** What begins to go over values when the first is asked for, as Python's generators do. */
  private static Generator lazy(Work work, Supplier<Iterator<Value>> start) {
    return new Generator("generator", new Iterator<>() {
      private Iterator<Value> values;

      @Override
      public boolean hasNext() {
        work.enter(); // one may go over another, and so on
        if (values == null) {
          values = Collections.emptyIterator(); // one that fails when it starts has no more
          values = start.get();
        }
        boolean more = values.hasNext();
        work.leave();
        return more;
      }

      @Override
      public Value next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        return values.next();
      }
    });
  }

  private static Iterator<Value> stepped(Iterator<Value> source, Stepped.Step step, Work work) {
    return new Stepped(source, step, work, 1);
  }

  private static Value lowerCase(Value value, Work work) {
    return value instanceof Text text ? TextMethods.lower(text, work) : value;
  }

  private static List<Value> path(Value attribute, Work work) {
    if (attribute == null || attribute == None.NONE) {
      return List.of();
    }
    if (!(attribute instanceof Text text)) {
      return List.of(attribute);
    }
    List<Value> parts = new ArrayList<>();
    for (String part : text.value().split("\\.", -1)) {
      work.elements(1);
      boolean number = !part.isEmpty() && part.codePoints().allMatch(Characters::isDigit);
      parts.add(number ? Numbers.parseWhole(Text.own(part), 10) : Text.own(part));
    }
    return parts;
  }

  private static Value follow(Value value, List<Value> path, Value orElse, Interpreter in) {
    for (Value part : path) {
      value = Attributes.item(value, part, in);
      if (given(orElse) && value instanceof Undefined) {
        value = orElse;
      }
    }
    return value;
  }

  private static UnaryOperator<Value> getter(Value attribute, Value orElse, boolean lower, Interpreter in) {
    List<Value> path = path(attribute, in.work());
    return value -> {
      Value found = follow(value, path, orElse, in);
      return lower ? lowerCase(found, in.work()) : found;
    };
  }

  // Filters

  private static Value abs(Interpreter in, Arguments arguments) {
    Value value = ONE.bind(arguments)[0];
    return switch (value) {
      case Whole whole -> new Whole(whole.value().abs(), whole.own());
      case Truth truth -> new Whole(truth.number(), true);
      case Real real -> new Real(Math.abs(real.value()), real.own());
      default -> throw TemplateException.type("bad operand type for abs(): '" + value.typeName() + "'");
    };
  }

  private static Value attr(Interpreter in, Arguments arguments) {
    Value[] given = ATTR.bind(arguments);
    String name = TextMethods.text(given[1]).value();
    Value found = Attributes.attribute(given[0], name, in);
    return found == null ? Undefined.member(given[0], given[1]) : found;
  }

  private static Value batch(Interpreter in, Arguments arguments) {
    Value[] given = BATCH.bind(arguments);
    return lazy(in.work(), () -> {
      Iterator<Value> items = Sequences.iterator(given[0]);
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          return items.hasNext();
        }

        @Override
        public Value next() {
          List<Value> row = new ArrayList<>();
          do {
            in.work().elements(1);
            row.add(items.next());
          } while (items.hasNext() && !Operators.equal(Whole.own(row.size()), given[1], in.work()));
          if (given(given[2]) && Numbers.isWhole(given[1])) {
            while (row.size() < Numbers.index(given[1])) {
              in.work().elements(1);
              row.add(given[2]);
            }
          }
          return new ListValue(row);
        }
      };
    });
  }

  private static Value center(Interpreter in, Arguments arguments) {
    Value[] given = CENTER.bind(arguments);
    return TextMethods.padded(Printer.str(given[0], in.work()), "center", given[1] == null ? 80 : Numbers.index(given[1]), Text.own(" "), in.work());
  }

  private static Value length(Interpreter in, Arguments arguments) {
    Value value = LENGTH.bind(arguments)[0];
    int length = Sequences.length(value);
    if (length < 0) {
      throw TemplateException.type("object of type '" + value.typeName() + "' has no len()");
    }
    return Whole.own(length);
  }

  private static Value orDefault(Interpreter in, Arguments arguments) {
    Value[] given = DEFAULT.bind(arguments);
    boolean missing = given[0] instanceof Undefined || isTrue(given[2]) && !given[0].isTrue();
    return !missing ? given[0] : given[1] == null ? Text.EMPTY : given[1];
  }

  private static Value dictSort(Interpreter in, Arguments arguments) {
    Value[] given = DICT_SORT.bind(arguments);
    String by = given[2] instanceof Text text ? text.value() : given[2] == null ? "key" : "";
    if (!by.equals("key") && !by.equals("value")) {
      throw new TemplateException(TemplateException.Kind.FILTER_ARGUMENT, "You can only sort by either \"key\" or \"value\"");
    }
    if (given[0] instanceof Undefined undefined) {
      throw undefined.failure();
    }
    if (!(given[0] instanceof DictValue dict)) {
      throw new TemplateException(TemplateException.Kind.ATTRIBUTE, "'" + given[0].typeName() + "' object has no attribute 'items'");
    }
    List<Value> items = Sequences.list(new DictView(dict, DictView.Part.ITEMS), in.work());
    boolean reverse = flag(given[3]);
    List<Value> keys = new ArrayList<>(items.size());
    for (Value item : items) {
      Value key = ((TupleValue) item).items().get(by.equals("key") ? 0 : 1);
      keys.add(isTrue(given[1]) ? key : lowerCase(key, in.work()));
    }
    return new ListValue(Sorting.sorted(items, keys, reverse, in.work()));
  }

  private static Value escape(Interpreter in, Arguments arguments) {
    return Markup.escape(arguments.only("escape", 1, 1).getFirst(), in.work());
  }

  private static Value forceEscape(Interpreter in, Arguments arguments) {
    return Markup.escape(Printer.str(ONE.bind(arguments)[0], in.work()).asMarkup(false), in.work());
  }

  private static Value safe(Interpreter in, Arguments arguments) {
    return Printer.str(ONE.bind(arguments)[0], in.work()).asMarkup(true);
  }

  private static Value string(Interpreter in, Arguments arguments) {
    return Printer.str(ONE.bind(arguments)[0], in.work());
  }

  private static Value stripTags(Interpreter in, Arguments arguments) {
    return Markup.stripTags(Printer.str(ONE.bind(arguments)[0], in.work()).asMarkup(false), in.work());
  }

  private static Value fileSize(Interpreter in, Arguments arguments) {
    Value[] given = FILE_SIZE.bind(arguments);
    double bytes = real(given[0]).value();
    int base = isTrue(given[1]) ? 1024 : 1000;
    if (bytes == 1) {
      return Text.own("1 Byte");
    }
    if (bytes < base) {
      return Text.own(Numbers.truncated(new Real(bytes, true)).value() + " Bytes");
    }
    String letters = base == 1024 ? "KMGTPEZY" : "kMGTPEZY";
    double unit = base;
    int at = 0;
    for (; at < letters.length() - 1 && bytes >= unit * base; at++) {
      unit *= base;
    }
    return Text.own(NumberFormat.real(base * bytes / (unit * base), 'f', 1, false) + " " + letters.charAt(at) + (base == 1024 ? "iB" : "B"));
  }

  private static Value first(Interpreter in, Arguments arguments) {
    Iterator<Value> items = Sequences.iterator(ONE.bind(arguments)[0]);
    return items.hasNext() ? items.next() : Undefined.because("No first item, sequence was empty.");
  }

  private static Value last(Interpreter in, Arguments arguments) {
    Value value = ONE.bind(arguments)[0];
    if (value instanceof Undefined) {
      return Undefined.because("No last item, sequence was empty.");
    }
    if (Sequences.isIndexed(value)) {
      Value last = Sequences.get(value, Whole.own(-1));
      return last == null ? Undefined.because("No last item, sequence was empty.") : last;
    }
    List<Value> items = reversible(value, in);
    return items.isEmpty() ? Undefined.because("No last item, sequence was empty.") : items.getLast();
  }

  private static List<Value> reversible(Value value, Interpreter in) {
    if (!(value instanceof DictValue || value instanceof DictView || value instanceof Undefined || Sequences.isIndexed(value))) {
      throw TemplateException.type("'" + value.typeName() + "' object is not reversible");
    }
    return Sequences.list(value, in.work());
  }

  private static Value reverse(Interpreter in, Arguments arguments) {
    Value value = ONE.bind(arguments)[0];
    if (value instanceof Text text) {
      return Sequences.slice(text, None.NONE, None.NONE, Whole.own(-1), in.work());
    }
    if (value instanceof Generator) {
      try {
        return new ListValue(Sequences.list(value, in.work()).reversed());
      } catch (TemplateException failure) {
        throw failure.kind() == TemplateException.Kind.TYPE ? new TemplateException(TemplateException.Kind.FILTER_ARGUMENT, "argument must be iterable") : failure;
      }
    }
    if (!Sequences.isIterable(value)) {
      throw new TemplateException(TemplateException.Kind.FILTER_ARGUMENT, "argument must be iterable");
    }
    return new Generator(value.typeName() + "_reverseiterator", Sequences.list(value, in.work()).reversed().iterator());
  }

  private static Real real(Value value) {
    return switch (value) {
      case Text text -> Numbers.parseReal(text);
      case Undefined undefined -> throw undefined.failure();
      default -> {
        if (!Numbers.isNumber(value)) {
          throw TemplateException.type("float() argument must be a string or a real number, not '" + value.typeName() + "'");
        }
        yield new Real(Numbers.real(value), Numbers.isOwn(value));
      }
    };
  }

  private static boolean isTypeOrValue(TemplateException failure) {
    return failure.kind() == TemplateException.Kind.TYPE || failure.kind() == TemplateException.Kind.VALUE;
  }

  private static Value toReal(Interpreter in, Arguments arguments) {
    Value[] given = REAL.bind(arguments);
    try {
      return real(given[0]);
    } catch (TemplateException failure) {
      if (isTypeOrValue(failure)) {
        return given[1] == null ? new Real(0, true) : given[1];
      }
      throw failure;
    }
  }

  private static Value toWhole(Interpreter in, Arguments arguments) {
    Value[] given = WHOLE.bind(arguments);
    try {
      return switch (given[0]) {
        case Text text -> Numbers.parseWhole(text, given[2] == null ? 10 : Numbers.index(given[2]));
        case Real real -> Numbers.truncated(real);
        case Undefined undefined -> throw undefined.failure();
        default -> new Whole(Numbers.whole(given[0]), Numbers.isOwn(given[0]));
      };
    } catch (TemplateException failure) {
      if (!isTypeOrValue(failure)) {
        throw failure;
      }
    }
    try {
      return Numbers.truncated(real(given[0]));
    } catch (TemplateException failure) {
      if (isTypeOrValue(failure) || failure.kind() == TemplateException.Kind.OVERFLOW) {
        return given[1] == null ? Whole.own(0) : given[1];
      }
      throw failure;
    }
  }

  private static Value format(Interpreter in, Arguments arguments) {
    if (arguments.positional().isEmpty()) {
      throw TemplateException.type("do_format() missing 1 required positional argument: 'value'");
    }
    Text format = Printer.str(arguments.positional().getFirst(), in.work());
    return PercentFormat.filter(format, new Arguments(arguments.positional().subList(1, arguments.positional().size()), arguments.named()), in);
  }

  private static Value groupBy(Interpreter in, Arguments arguments) {
    Value[] given = GROUP_BY.bind(arguments);
    boolean lower = !isTrue(given[3]);
    UnaryOperator<Value> getter = getter(given[1], given[2], lower, in);
    List<Value> items = Sequences.list(given[0], in.work());
    List<Value> keys = new ArrayList<>(items.size());
    items.forEach(item -> keys.add(getter.apply(item)));
    List<Value> sorted = Sorting.sorted(items, keys, false, in.work());
    UnaryOperator<Value> shown = getter(given[1], given[2], false, in);
    List<Value> groups = new ArrayList<>();
    for (int from = 0, to; from < sorted.size(); from = to) {
      Value key = getter.apply(sorted.get(from));
      to = from + 1;
      while (to < sorted.size() && sameKey(key, getter.apply(sorted.get(to)), in)) {
        to++;
      }
      groups.add(new TupleValue(List.of(lower ? shown.apply(sorted.get(from)) : key, new ListValue(List.copyOf(sorted.subList(from, to)))), true));
    }
    return new ListValue(groups);
  }

  private static boolean sameKey(Value a, Value b, Interpreter in) {
    return a == b || Operators.equal(a, b, in.work());
  }

  private static Value indent(Interpreter in, Arguments arguments) {
    Value[] given = INDENT.bind(arguments);
    Work work = in.work();
    if (given[0] instanceof Undefined undefined) {
      throw undefined.failure();
    }
    Text width = given[1] instanceof Text text ? text : (Text) Operators.compute(Operators.Binary.MULTIPLY, Text.own(" "), given[1] == null ? Whole.own(4) : given[1], in);
    if (given[0] instanceof ListValue) {
      throw new TemplateException(TemplateException.Kind.ATTRIBUTE, "'list' object has no attribute 'splitlines'");
    }
    if (!(given[0] instanceof Text text)) {
      throw TemplateException.type("unsupported operand type(s) for +=: '" + given[0].typeName() + "' and 'str'");
    }
    List<Text> lines = TextMethods.lines(new TextBuilder(work).add(text).add("\n", true).text(), false, work);
    TextBuilder out = new TextBuilder(work);
    for (int i = 0; i < lines.size(); i++) {
      boolean indented = i == 0 ? isTrue(given[2]) : isTrue(given[3]) || !lines.get(i).isEmpty();
      out.add(i == 0 ? "" : "\n", true).add(indented ? width : Text.EMPTY).add(lines.get(i));
    }
    return out.text(text.isMarkup());
  }

  private static Value join(Interpreter in, Arguments arguments) {
    Value[] given = JOIN.bind(arguments);
    Work work = in.work();
    UnaryOperator<Value> getter = getter(given[2], null, false, in);
    List<Text> texts = new ArrayList<>();
    boolean markup = false;
    for (Iterator<Value> items = Sequences.iterator(given[0]); items.hasNext();) {
      work.elements(1);
      Text text = Printer.str(getter.apply(items.next()), work);
      markup |= text.isMarkup();
      texts.add(text);
    }
    Text separator = given[1] == null ? Text.EMPTY : Printer.str(given[1], work);
    markup = in.escapes() && (markup || separator.isMarkup());
    TextBuilder out = new TextBuilder(work);
    for (int i = 0; i < texts.size(); i++) {
      out.add(i == 0 ? Text.EMPTY : markup ? Markup.escape(separator, work) : separator).add(markup ? Markup.escape(texts.get(i), work) : texts.get(i));
    }
    return out.text(markup);
  }

  private static Value list(Interpreter in, Arguments arguments) {
    return new ListValue(Sequences.list(ONE.bind(arguments)[0], in.work()));
  }

  private static Value items(Interpreter in, Arguments arguments) {
    Value value = ONE.bind(arguments)[0];
    return lazy(in.work(), () -> switch (value) {
      case Undefined undefined -> Collections.emptyIterator();
      case DictValue dict -> new DictView(dict, DictView.Part.ITEMS).iterator();
      default -> throw TemplateException.type("Can only get item pairs from a mapping.");
    });
  }

  private static Value map(Interpreter in, Arguments arguments) {
    List<Value> positional = arguments.positional();
    Value value = positional.getFirst();
    return lazy(in.work(), () -> {
      if (!value.isTrue()) {
        return Collections.emptyIterator();
      }
      if (positional.size() == 1 && arguments.named().containsKey("attribute")) {
        for (String name : arguments.named().keySet()) {
          if (!name.equals("attribute") && !name.equals("default")) {
            throw new TemplateException(TemplateException.Kind.FILTER_ARGUMENT, "Unexpected keyword argument " + Printer.quoted(name));
          }
        }
        UnaryOperator<Value> getter = getter(arguments.named().get("attribute"), arguments.named().get("default"), false, in);
        return stepped(Sequences.iterator(value), getter::apply, in.work());
      }
      if (positional.size() == 1) {
        throw new TemplateException(TemplateException.Kind.FILTER_ARGUMENT, "map requires a filter argument");
      }
      Arguments rest = new Arguments(positional.subList(2, positional.size()), arguments.named());
      return stepped(Sequences.iterator(value), item -> named(positional.get(1)).call(in, rest.withFirst(item)), in.work());
    });
  }

  private static Value select(Interpreter in, Arguments arguments, boolean wanted, boolean byAttribute) {
    List<Value> positional = arguments.positional();
    Value value = positional.getFirst();
    return lazy(in.work(), () -> {
      if (!value.isTrue()) {
        return Collections.emptyIterator();
      }
      int at = byAttribute ? 2 : 1;
      if (byAttribute && positional.size() == 1) {
        throw new TemplateException(TemplateException.Kind.FILTER_ARGUMENT, "Missing parameter for attribute name");
      }
      UnaryOperator<Value> getter = byAttribute ? getter(positional.get(1), null, false, in) : UnaryOperator.identity();
      if (positional.size() == at) {
        return stepped(Sequences.iterator(value), item -> getter.apply(item).isTrue() == wanted ? item : null, in.work());
      }
      Arguments rest = new Arguments(positional.subList(at + 1, positional.size()), arguments.named());
      return stepped(Sequences.iterator(value), item -> {
        Value tested = getter.apply(item);
        return Tests.named(positional.get(at)).call(in, rest.withFirst(tested)).isTrue() == wanted ? item : null;
      }, in.work());
    });
  }

  private static Value extreme(Interpreter in, Arguments arguments, boolean most) {
    Value[] given = BY_ATTRIBUTE.bind(arguments);
    Iterator<Value> items = Sequences.iterator(given[0]);
    if (!items.hasNext()) {
      return Undefined.because("No aggregated item, sequence was empty.");
    }
    UnaryOperator<Value> getter = getter(given[2], null, !isTrue(given[1]), in);
    Value best = items.next();
    Value bestKey = getter.apply(best);
    while (items.hasNext()) {
      Value item = items.next();
      Value key = getter.apply(item);
      if (Operators.compare(most ? Operators.Comparison.GREATER : Operators.Comparison.LESS, key, bestKey, in.work())) {
        best = item;
        bestKey = key;
      }
    }
    return best;
  }

  private static Value prettyPrint(Interpreter in, Arguments arguments) {
    TextBuilder out = new TextBuilder(in.work());
    Printer.repr(ONE.bind(arguments)[0], out, in.work(), true);
    if (out.length() > 80) {
      throw TemplateException.unsupported("pprint of what takes more than a line");
    }
    return out.text();
  }

  private static Value replace(Interpreter in, Arguments arguments) {
    Value[] given = REPLACE.bind(arguments);
    Work work = in.work();
    int count = given(given[3]) ? Numbers.index(given[3]) : -1;
    Text text = Printer.str(given[0], work);
    Text old = Printer.str(given[1], work);
    Text by = Printer.str(given[2], work);
    if (!in.escapes()) {
      return TextMethods.replace(text.asMarkup(false), old, by, count, work);
    }
    if (old.isMarkup() || by.isMarkup() && !text.isMarkup()) {
      text = Markup.escape(text, work);
    }
    return TextMethods.replace(text, old, text.isMarkup() ? Markup.escape(by, work) : by, count, work);
  }

  private static Value round(Interpreter in, Arguments arguments) {
    Value[] given = ROUND.bind(arguments);
    String method = given[2] == null ? "common" : given[2] instanceof Text text ? text.value() : "";
    if (!method.equals("common") && !method.equals("ceil") && !method.equals("floor")) {
      throw new TemplateException(TemplateException.Kind.FILTER_ARGUMENT, "method must be common, ceil or floor");
    }
    if (given[0] instanceof Undefined undefined && !method.equals("common")) {
      throw undefined.failure();
    }
    if (method.equals("common")) {
      if (!Numbers.isNumber(given[0])) {
        throw TemplateException.type("type " + given[0].typeName() + " doesn't define __round__ method");
      }
      if (given[1] == None.NONE) {
        return given[0] instanceof Real real ? Numbers.truncated((Real) Numbers.round(real, 0)) : Numbers.round(given[0], 0);
      }
      return Numbers.round(given[0], given[1] == null ? 0 : Numbers.index(given[1]));
    }
    Value scale = Operators.compute(Operators.Binary.POWER, Whole.own(10), given[1] == null ? Whole.own(0) : given[1], in);
    Value scaled = Operators.compute(Operators.Binary.MULTIPLY, given[0], scale, in);
    if (!Numbers.isNumber(scaled)) {
      throw TemplateException.type("must be real number, not " + scaled.typeName());
    }
    BigInteger whole = scaled instanceof Real real && Double.isFinite(real.value())
        ? new BigDecimal(real.value()).setScale(0, method.equals("ceil") ? RoundingMode.CEILING : RoundingMode.FLOOR).toBigInteger()
        : scaled instanceof Real real ? Numbers.truncated(real).value() : Numbers.whole(scaled);
    return Operators.compute(Operators.Binary.DIVIDE, new Whole(whole, Numbers.isOwn(scaled)), scale, in);
  }

  private static Value slice(Interpreter in, Arguments arguments) {
    Value[] given = SLICE.bind(arguments);
    return lazy(in.work(), () -> {
      List<Value> items = Sequences.list(given[0], in.work());
      Operators.compute(Operators.Binary.FLOOR_DIVIDE, Whole.own(items.size()), given[1], in);
      int count = Numbers.index(given[1]);
      List<Value> parts = new ArrayList<>();
      int from = 0;
      for (int i = 0; i < count; i++) {
        in.work().elements(1);
        int to = from + items.size() / count + (i < items.size() % count ? 1 : 0);
        List<Value> part = new ArrayList<>(items.subList(from, to));
        if (given(given[2]) && i >= items.size() % count) {
          part.add(given[2]);
        }
        parts.add(new ListValue(part));
        from = to;
      }
      return parts.iterator();
    });
  }

  private static Value sort(Interpreter in, Arguments arguments) {
    Value[] given = SORT.bind(arguments);
    List<Value> items = Sequences.list(given[0], in.work());
    boolean reverse = flag(given[1]);
    List<UnaryOperator<Value>> getters = new ArrayList<>();
    boolean lower = !isTrue(given[2]);
    if (given[3] instanceof Text text) {
      for (String each : text.value().split(",", -1)) {
        getters.add(getter(Text.own(each), null, lower, in));
      }
    } else {
      getters.add(getter(given[3], null, lower, in));
    }
    List<Value> keys = new ArrayList<>(items.size());
    for (Value item : items) {
      keys.add(new ListValue(getters.stream().map(getter -> getter.apply(item)).toList()));
    }
    return new ListValue(Sorting.sorted(items, keys, reverse, in.work()));
  }

  private static Value sum(Interpreter in, Arguments arguments) {
    Value[] given = SUM.bind(arguments);
    UnaryOperator<Value> getter = getter(given[1], null, false, in);
    Value sum = given[2] == null ? Whole.own(0) : given[2];
    if (sum instanceof Text) {
      throw TemplateException.type("sum() can't sum strings [use ''.join(seq) instead]");
    }
    for (Iterator<Value> items = Sequences.iterator(given[0]); items.hasNext();) {
      sum = Operators.compute(Operators.Binary.ADD, sum, getter.apply(items.next()), in);
    }
    return sum;
  }

  private static Text title(Text text, Work work) {
    String value = text.value();
    TextBuilder out = new TextBuilder(work);
    for (int from = 0, to; from < value.length(); from = to) {
      boolean separator = isTitleSeparator(value.charAt(from));
      int first = from + Character.charCount(value.codePointAt(from));
      to = first;
      while (to < value.length() && isTitleSeparator(value.charAt(to)) == separator) {
        to++;
      }
      out.add(TextMethods.upper(text.substring(from, first), work)).add(TextMethods.lower(text.substring(first, to), work));
    }
    return out.text();
  }

  private static boolean isTitleSeparator(char c) {
    return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || Characters.isSpace(c);
  }

  private static Value trim(Interpreter in, Arguments arguments) {
    Value[] given = TRIM.bind(arguments);
    return TextMethods.strip(Printer.str(given[0], in.work()), given[1] == null ? None.NONE : given[1], true, true, in.work());
  }

  private static Value truncate(Interpreter in, Arguments arguments) {
    Value[] given = TRUNCATE.bind(arguments);
    int length = given[1] == null ? 255 : Numbers.index(given[1]);
    Text end = given[3] == null ? Text.own("...") : TextMethods.text(given[3]);
    int leeway = given(given[4]) ? Numbers.index(given[4]) : 5;
    if (length < end.length()) {
      throw new TemplateException(TemplateException.Kind.PYTHON_ASSERTION, "expected length >= " + end.length() + ", got " + length);
    }
    if (leeway < 0) {
      throw new TemplateException(TemplateException.Kind.PYTHON_ASSERTION, "expected leeway >= 0, got " + leeway);
    }
    if (Sequences.length(given[0]) < 0) {
      throw TemplateException.type("object of type '" + given[0].typeName() + "' has no len()");
    }
    if (Sequences.length(given[0]) <= (long) length + leeway) {
      return given[0];
    }
    Text text = TextMethods.text(given[0]);
    Text cut = text.substring(0, text.offset(length - end.length()));
    int space = isTrue(given[2]) ? -1 : cut.value().lastIndexOf(' ');
    return Operators.concatenate(space < 0 ? cut : cut.substring(0, space), end, in.work());
  }

  private static Value unique(Interpreter in, Arguments arguments) {
    Value[] given = BY_ATTRIBUTE.bind(arguments);
    UnaryOperator<Value> getter = getter(given[2], null, !isTrue(given[1]), in);
    Set<Value> seen = new HashSet<>();
    return lazy(in.work(), () -> stepped(Sequences.iterator(given[0]), item -> {
      in.work().elements(1);
      return seen.add(Operators.key(getter.apply(item), in.work())) ? item : null;
    }, in.work()));
  }

  private static Value urlEncode(Interpreter in, Arguments arguments) {
    Value value = ONE.bind(arguments)[0];
    Work work = in.work();
    TextBuilder out = new TextBuilder(work);
    if (value instanceof Text || !Sequences.isIterable(value)) {
      urlEncode(Printer.str(value, work), false, out);
      return out.text();
    }
    boolean first = true;
    for (Value pair : Sequences.list(value instanceof DictValue dict ? new DictView(dict, DictView.Part.ITEMS) : value, work)) {
      List<Value> parts = Sequences.unpack(pair, 2, work);
      out.add(first ? "" : "&", false);
      first = false;
      urlEncode(Printer.str(parts.get(0), work), true, out);
      out.add("=", false);
      urlEncode(Printer.str(parts.get(1), work), true, out);
    }
    return out.text();
  }

  private static void urlEncode(Text text, boolean query, TextBuilder out) {
    String value = text.value();
    for (int i = 0; i < value.length();) {
      int c = value.codePointAt(i);
      int next = i + Character.charCount(c);
      if (c < 0x80 && (Character.isLetterOrDigit(c) || "_.-~".indexOf(c) >= 0 || c == '/' && !query)) {
        out.add(text, i, next);
      } else if (c == ' ' && query) {
        out.add("+", false);
      } else {
        for (byte each : value.substring(i, next).getBytes(StandardCharsets.UTF_8)) {
          out.add("%" + Printer.hex(each & 0xff, 2).toUpperCase(java.util.Locale.ROOT), false);
        }
      }
      i = next;
    }
  }

  private static Value wordCount(Interpreter in, Arguments arguments) {
    String value = Printer.str(ONE.bind(arguments)[0], in.work()).value();
    in.work().spend(value.length());
    int words = 0;
    boolean inside = false;
    for (int i = 0; i < value.length();) {
      int c = value.codePointAt(i);
      words += Characters.isWord(c) && !inside ? 1 : 0;
      inside = Characters.isWord(c);
      i += Character.charCount(c);
    }
    return Whole.own(words);
  }

  private static Value wordWrap(Interpreter in, Arguments arguments) {
    Value[] given = WORD_WRAP.bind(arguments);
    Work work = in.work();
    Text text = TextMethods.text(given[0]);
    int width = given[1] == null ? 79 : Numbers.index(given[1]);
    boolean breaks = given[2] == null || given[2].isTrue();
    Text newline = given(given[3]) ? TextMethods.text(given[3]) : Text.own("\n");
    if (text.value().indexOf('-') >= 0 && (given[4] == null || given[4].isTrue())) {
      throw TemplateException.unsupported("wordwrap of words with hyphens");
    }
    if (width <= 0) {
      throw TemplateException.value("invalid width " + width + " (must be > 0)");
    }
    TextBuilder out = new TextBuilder(work);
    boolean first = true;
    for (Text line : TextMethods.lines(text, false, work)) {
      if (!first) {
        out.add(newline);
      }
      first = false;
      wrap(line, width, breaks, newline, out);
    }
    return out.text();
  }

  /** One line, greedily. */
  private static void wrap(Text line, int width, boolean breaks, Text newline, TextBuilder out) {
    String value = line.value();
    int at = 0;
    boolean firstLine = true;
    while (at < value.length()) {
      // White space stays where the paragraph begins, and goes where a line does.
      int from = firstLine ? at : skipBlanks(value, at);
      int end = from;
      int used = 0;
      while (end < value.length()) {
        boolean blank = isBlank(value.charAt(end));
        int next = end;
        while (next < value.length() && isBlank(value.charAt(next)) == blank) {
          next++;
        }
        int size = value.codePointCount(end, next);
        if (used + size > width) {
          if (breaks && size > width) {
            end = value.offsetByCodePoints(end, width - used);
          }
          if (!breaks && used == 0) {
            end = next;
          }
          break;
        }
        used += size;
        end = next;
      }
      int to = end;
      while (to > from && isBlank(value.charAt(to - 1))) {
        to--;
      }
      if (to > from) {
        out.add(firstLine ? Text.EMPTY : newline).add(line, from, to);
        firstLine = false;
      }
      at = skipBlanks(value, Math.max(end, from));
    }
  }

  private static boolean isBlank(char c) {
    return c == ' ' || c >= 9 && c <= 13;
  }

  private static int skipBlanks(String value, int at) {
    while (at < value.length() && isBlank(value.charAt(at))) {
      at++;
    }
    return at;
  }

  private static Value xmlAttributes(Interpreter in, Arguments arguments) {
    Value[] given = XML.bind(arguments);
    Work work = in.work();
    if (!(given[0] instanceof DictValue dict)) {
      throw new TemplateException(TemplateException.Kind.ATTRIBUTE, "'" + given[0].typeName() + "' object has no attribute 'items'");
    }
    TextBuilder out = new TextBuilder(work);
    for (Map.Entry<Value, Value> each : new LinkedHashMap<>(dict.entries()).entrySet()) {
      if (each.getValue() == None.NONE || each.getValue() instanceof Undefined) {
        continue;
      }
      String key = TextMethods.text(each.getKey()).value();
      if (key.chars().anyMatch(c -> isBlank((char) c) || c == '/' || c == '>' || c == '=')) {
        throw TemplateException.value("Invalid character in attribute name: " + Printer.brief(each.getKey()));
      }
      boolean space = out.length() > 0 || given[1] == null || given[1].isTrue();
      out.add(space ? " " : "", false).add(Markup.escape(each.getKey(), work)).add("=\"", false).add(Markup.escape(each.getValue(), work)).add("\"", false);
    }
    return out.text(in.escapes());
  }
}
