package dev.nibble.tokenizer.jinja;

import static java.util.Map.entry;

import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** jinja2's tests. */
final class Tests {
  private static final Signature DIVISIBLE = Signature.of("test_divisibleby", 2, "value", "num");
  private static final Signature SAME = Signature.of("test_sameas", 2, "value", "other");
  private static final Signature IN = Signature.of("test_in", 2, "value", "seq");
  private static final Map<String, Builtin> ALL = Map.ofEntries(entry("odd", (in, arguments) -> remainder("test_odd", in, arguments, 1)),
      entry("even", (in, arguments) -> remainder("test_even", in, arguments, 0)), entry("divisibleby", Tests::divisible),
      entry("defined", is("test_defined", value -> !(value instanceof Undefined))), entry("undefined", is("test_undefined", value -> value instanceof Undefined)),
      entry("filter", Tests::filter), entry("test", Tests::test), entry("none", is("test_none", value -> value == None.NONE)),
      entry("boolean", is("test_boolean", value -> value instanceof Truth)), entry("false", is("test_false", value -> value instanceof Truth truth && !truth.value())),
      entry("true", is("test_true", value -> value instanceof Truth truth && truth.value())), entry("integer", is("test_integer", value -> value instanceof Whole)),
      entry("float", is("test_float", value -> value instanceof Real)), entry("lower", (in, arguments) -> letters("test_lower", in, arguments, false)),
      entry("upper", (in, arguments) -> letters("test_upper", in, arguments, true)), entry("string", is("test_string", value -> value instanceof Text)),
      entry("mapping", is("test_mapping", value -> value instanceof DictValue)), entry("number", is("test_number", Numbers::isNumber)),
      entry("sequence", is("test_sequence", Tests::isSequence)), entry("iterable", is("test_iterable", Sequences::isIterable)),
      entry("callable", is("callable", value -> value instanceof Callable || value instanceof Undefined || value instanceof Loop)), entry("sameas", Tests::same),
      entry("escaped", is("test_escaped", value -> value instanceof Text text && text.isMarkup())), entry("in", Tests::in),
      entry("==", compare(Operators.Comparison.EQUAL)), entry("eq", compare(Operators.Comparison.EQUAL)), entry("equalto", compare(Operators.Comparison.EQUAL)),
      entry("!=", compare(Operators.Comparison.NOT_EQUAL)), entry("ne", compare(Operators.Comparison.NOT_EQUAL)), entry(">", compare(Operators.Comparison.GREATER)),
      entry("gt", compare(Operators.Comparison.GREATER)), entry("greaterthan", compare(Operators.Comparison.GREATER)), entry(">=", compare(Operators.Comparison.GREATER_OR_EQUAL)),
      entry("ge", compare(Operators.Comparison.GREATER_OR_EQUAL)), entry("<", compare(Operators.Comparison.LESS)), entry("lt", compare(Operators.Comparison.LESS)),
      entry("lessthan", compare(Operators.Comparison.LESS)), entry("<=", compare(Operators.Comparison.LESS_OR_EQUAL)), entry("le", compare(Operators.Comparison.LESS_OR_EQUAL)));

  private Tests() {}

  /** The test of this name, or null. */
  static Builtin find(String name) {
    return ALL.get(name);
  }

  /** A test that is given by its name when the template runs. */
  static Builtin named(Value name) {
    Builtin found = name instanceof Text text ? ALL.get(text.value()) : null;
    if (found == null) {
      throw new TemplateException(TemplateException.Kind.RUNTIME, "No test named " + Printer.brief(name) + ".");
    }
    return found;
  }

  private static Builtin is(String name, Predicate<Value> test) {
    Signature signature = Signature.of(name, 1, "value");
    return (in, arguments) -> Truth.of(test.test(signature.bind(arguments)[0]));
  }

  private static Builtin compare(Operators.Comparison comparison) {
    return (in, arguments) -> {
      List<Value> both = arguments.only(comparison.name().toLowerCase(java.util.Locale.ROOT), 2, 2);
      return Truth.of(Operators.compare(comparison, both.get(0), both.get(1), in.work()));
    };
  }

  private static boolean isSequence(Value value) {
    return Sequences.isIndexed(value) || value instanceof DictValue || value instanceof Undefined;
  }

  private static Value remainder(String name, Interpreter in, Arguments arguments, int wanted) {
    Value value = Signature.of(name, 1, "value").bind(arguments)[0];
    return Truth.of(Operators.equal(Operators.compute(Operators.Binary.MODULO, value, Whole.own(2), in), Whole.own(wanted), in.work()));
  }

  private static Value divisible(Interpreter in, Arguments arguments) {
    Value[] given = DIVISIBLE.bind(arguments);
    return Truth.of(Operators.equal(Operators.compute(Operators.Binary.MODULO, given[0], given[1], in), Whole.own(0), in.work()));
  }

  private static Value letters(String name, Interpreter in, Arguments arguments, boolean upper) {
    Text text = Printer.str(Signature.of(name, 1, "value").bind(arguments)[0], in.work());
    in.work().spend(text.value().length());
    return Truth.of(TextMethods.isCase(text.value(), upper));
  }

  private static Value filter(Interpreter in, Arguments arguments) {
    Value name = Operators.key(arguments.only("test_filter", 1, 1).getFirst(), in.work());
    return Truth.of(name instanceof Text text && Filters.has(text.value()));
  }

  private static Value test(Interpreter in, Arguments arguments) {
    Value name = Operators.key(arguments.only("test_test", 1, 1).getFirst(), in.work());
    return Truth.of(name instanceof Text text && ALL.containsKey(text.value()));
  }

  private static Value same(Interpreter in, Arguments arguments) {
    Value[] given = SAME.bind(arguments);
    boolean small = given[0] instanceof Whole a && given[1] instanceof Whole b && a.equals(b); // Python keeps small integers once
    boolean text = given[0] instanceof Text a && given[1] instanceof Text b && a.equals(b); // and short texts mostly
    return Truth.of(given[0] == given[1] || small || text);
  }

  private static Value in(Interpreter in, Arguments arguments) {
    Value[] given = IN.bind(arguments);
    return Truth.of(Operators.contains(given[1], given[0], in.work()));
  }
}
