package dev.nibble.tokenizer.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A macro, or the body of a call block, with the variables that are around it. */
final class Macro implements Callable {
  private final String name; // null of a call block
  private final Node.Callee callee;
  private final Frame around;

  Macro(String name, Node.Callee callee, Frame around) {
    this.name = name;
    this.callee = callee;
    this.around = around;
  }

  String shownName() {
    return name == null ? "anonymous" : Printer.quoted(name);
  }

  private String messageName() {
    return name == null ? "None" : Printer.quoted(name);
  }

  @Override
  public String typeName() {
    return "Macro";
  }

  @Override
  public Value attribute(String attribute) {
    return switch (attribute) {
      case "name" -> name == null ? None.NONE : Text.own(name);
      case "arguments" -> Text.names(callee.parameters());
      case "catch_kwargs" -> Truth.of(callee.usesNamed());
      case "catch_varargs" -> Truth.of(callee.usesPositional());
      case "caller" -> Truth.of(callee.usesCaller());
      case "explicit_caller" -> Truth.of(callee.parameters().contains("caller"));
      default -> null;
    };
  }

  @Override
  public Value call(Interpreter interpreter, Arguments arguments) {
    List<String> parameters = callee.parameters();
    List<Value> positional = arguments.positional();
    Map<String, Value> named = new LinkedHashMap<>(arguments.named());
    Frame frame = Frame.enter(around, callee.body().scope(), interpreter);
    List<Value> given = new ArrayList<>();
    boolean callerFound = positional.size() >= parameters.size() && parameters.contains("caller");
    for (int i = 0; i < parameters.size(); i++) {
      callerFound |= i >= positional.size() && parameters.get(i).equals("caller");
      given.add(i < positional.size() ? positional.get(i) : named.remove(parameters.get(i)));
    }
    if (callee.usesCaller() && !callerFound) {
      Value caller = named.remove("caller");
      frame.set("caller", caller == null || caller == None.NONE ? Undefined.because("No caller defined") : caller);
    }
    if (callee.usesNamed()) {
      Map<Value, Value> rest = new LinkedHashMap<>();
      named.forEach((key, value) -> rest.put(Text.own(key), value));
      frame.set("kwargs", new DictValue(rest));
    } else if (!named.isEmpty()) {
      throw TemplateException.type("macro " + messageName() + (named.containsKey("caller")
          ? " was invoked with two values for the special caller argument. This is most likely a bug." : " takes no keyword argument " + Printer.quoted(named.keySet().iterator().next())));
    }
    if (callee.usesPositional()) {
      frame.set("varargs", new TupleValue(positional.size() > parameters.size() ? positional.subList(parameters.size(), positional.size()) : List.of()));
    } else if (positional.size() > parameters.size()) {
      throw TemplateException.type("macro " + messageName() + " takes not more than " + parameters.size() + " argument(s)");
    }
    return interpreter.run(callee, given, frame);
  }
}
