package dev.nibble.tokenizer.jinja;

import java.util.LinkedHashMap;
import java.util.Map;

/** What {@code namespace()} makes: the only value whose attributes a template can set. */
final class Namespace implements Value {
  private final Map<String, Value> attributes = new LinkedHashMap<>();

  Map<String, Value> attributes() {
    return attributes;
  }

  void set(String name, Value value) {
    if (name.startsWith("_")) {
      throw new TemplateException(TemplateException.Kind.SECURITY,
          "Chat templates cannot store underscore-prefixed attributes on a namespace, but got " + Printer.quoted(name) + ". Please rename the attribute.");
    }
    attributes.put(name, value);
  }

  @Override
  public String typeName() {
    return "TemplateNamespace";
  }

  @Override
  public boolean isTrue() {
    return true;
  }
}
