package dev.nibble.tokenizer.jinja;

import java.util.List;

/** What {@code cycler()} makes. */
final class Cycler implements Callable {
  private final List<Value> items;
  private int at;

  Cycler(List<Value> items) {
    this.items = items;
  }

  @Override
  public String typeName() {
    return "Cycler";
  }

  @Override
  public Value attribute(String name) {
    return switch (name) {
      case "items" -> new TupleValue(items);
      case "pos" -> Whole.own(at);
      case "current" -> items.get(at);
      case "next" -> Attributes.method(name, (in, arguments) -> {
        Value next = items.get(at);
        at = (at + 1) % items.size();
        return next;
      });
      case "reset" -> Attributes.method(name, (in, arguments) -> {
        at = 0;
        return None.NONE;
      });
      default -> null;
    };
  }

  @Override
  public Value call(Interpreter interpreter, Arguments arguments) {
    throw TemplateException.type("'Cycler' object is not callable");
  }
}
