package dev.nibble.tokenizer.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What a call is given.
 *
 * @param named in the order of the call
 */
record Arguments(List<Value> positional, Map<String, Value> named) {
  static final Arguments NONE = new Arguments(List.of(), Map.of());

  static Arguments of(Value... positional) {
    return new Arguments(List.of(positional), Map.of());
  }

  Arguments withFirst(Value first) {
    List<Value> all = new ArrayList<>(positional.size() + 1);
    all.add(first);
    all.addAll(positional);
    return new Arguments(all, named);
  }

  /** Positional arguments of what takes no named ones. */
  List<Value> only(String function, int least, int most) {
    if (!named.isEmpty()) {
      throw TemplateException.type(function + "() takes no keyword arguments");
    }
    if (positional.size() < least || positional.size() > most) {
      String wanted = least == most ? "exactly " + least : "from " + least + " to " + most;
      throw TemplateException.type(function + "() takes " + wanted + " arguments (" + positional.size() + " given)");
    }
    return positional;
  }
}
