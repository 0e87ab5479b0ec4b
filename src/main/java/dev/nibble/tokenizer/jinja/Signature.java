package dev.nibble.tokenizer.jinja;

import java.util.List;
import java.util.Map;

/**
 * Names of a function's parameters.
 *
 * @param required how many of them, from the first, have no default
 */
record Signature(String function, int required, List<String> parameters) {
  static Signature of(String function, int required, String... parameters) {
    return new Signature(function, required, List.of(parameters));
  }

  /** An argument for each parameter, null where none is given. */
  Value[] bind(Arguments arguments) {
    List<Value> positional = arguments.positional();
    if (positional.size() > parameters.size()) {
      throw TemplateException.type(function + "() takes " + (required < parameters.size() ? "from " + required + " to " : "") + parameters.size() + " positional argument"
          + (parameters.size() == 1 ? "" : "s") + " but " + positional.size() + " were given");
    }
    Value[] bound = positional.toArray(new Value[parameters.size()]);
    for (Map.Entry<String, Value> entry : arguments.named().entrySet()) {
      int at = parameters.indexOf(entry.getKey());
      if (at < 0) {
        throw TemplateException.type(function + "() got an unexpected keyword argument " + Printer.quoted(entry.getKey()));
      }
      if (bound[at] != null) {
        throw TemplateException.type(function + "() got multiple values for argument " + Printer.quoted(entry.getKey()));
      }
      bound[at] = entry.getValue();
    }
    for (int i = 0; i < required; i++) {
      if (bound[i] == null) {
        throw TemplateException.type(function + "() missing 1 required positional argument: " + Printer.quoted(parameters.get(i)));
      }
    }
    return bound;
  }
}
