package dev.nibble.tokenizer.jinja;

import static java.util.Map.entry;

import java.util.Map;

/** What every template has: functions of jinja2 and of transformers. */
final class Globals {
  private static final String LOREM_IPSUM = "Lorem ipsum dolor sit amet, consectetur adipiscing elit.";
  private static final Signature RAISE = Signature.of("raise_exception", 1, "message");
  private static final Signature STRFTIME = Signature.of("strftime_now", 1, "format");
  private static final Signature JOINER = Signature.of("Joiner.__init__", 0, "sep");
  private static final Map<String, Value> ALL = Map.ofEntries(function("range", (in, arguments) -> Sequences.range(arguments.only("range", 0, 4))), entry("dict", new Dict()),
      function("lipsum", (in, arguments) -> Text.own(LOREM_IPSUM).asMarkup(true)), function("cycler", Globals::cycler), function("joiner", Globals::joiner),
      function("namespace", Globals::namespace), function("raise_exception", Globals::raise),
      function("strftime_now", (in, arguments) -> Strftime.format(in.now(), TextMethods.text(STRFTIME.bind(arguments)[0]), in.work())));

  private Globals() {}

  /** The function of this name, or null. */
  static Value find(String name) {
    return ALL.get(name);
  }

  private static Map.Entry<String, Value> function(String name, Builtin body) {
    return entry(name, new Function("function", name, body));
  }

  /** transformers' {@code dict}, which has one method. */
  private record Dict() implements Callable {
    @Override
    public String typeName() {
      return "TemplateDict";
    }

    @Override
    public Value call(Interpreter interpreter, Arguments arguments) {
      return new DictValue(CollectionMethods.entries(arguments, interpreter.work()));
    }

    @Override
    public Value attribute(String name) {
      return name.equals("fromkeys") ? Attributes.method(name, CollectionMethods::fromKeys) : null;
    }
  }

  private static Value cycler(Interpreter in, Arguments arguments) {
    if (arguments.only("cycler", 0, Integer.MAX_VALUE).isEmpty()) {
      throw new TemplateException(TemplateException.Kind.RUNTIME, "at least one item has to be provided");
    }
    return new Cycler(arguments.positional());
  }

  private static Value joiner(Interpreter in, Arguments arguments) {
    Value separator = JOINER.bind(arguments)[0];
    boolean[] used = {false};
    return new Function("Joiner", "joiner", (interpreter, none) -> {
      none.only("joiner", 0, 0);
      boolean first = !used[0];
      used[0] = true;
      return first ? Text.EMPTY : separator == null ? Text.own(", ") : separator;
    });
  }

  private static Value namespace(Interpreter in, Arguments arguments) {
    Namespace namespace = new Namespace();
    for (Map.Entry<Value, Value> each : CollectionMethods.entries(arguments, in.work()).entrySet()) {
      if (each.getKey() instanceof Text name) { // others are kept by jinja2, but nothing reaches them
        namespace.set(name.value(), each.getValue());
      }
    }
    return namespace;
  }

  private static Value raise(Interpreter in, Arguments arguments) {
    throw new TemplateException(TemplateException.Kind.RAISED, Printer.str(RAISE.bind(arguments)[0], in.work()).value());
  }
}
