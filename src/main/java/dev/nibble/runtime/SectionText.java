package dev.nibble.runtime;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.format.Printable;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/** A section of a report as lines for people: a name and a value each, lists and inner objects on one line, lists of large objects one below the other. */
final class SectionText {
  private static final int NAME_WIDTH = 24;
  private static final int MAX_SHOWN = 8; // elements of a list
  private static final int LONGEST_VALUE = 300; // characters
  private static final int FEW = 3; // values of an object that is shown on one line

  private SectionText() {}

  static void write(ObjectNode section, StringBuilder out) {
    write(section, "  ", out);
  }

  private static void write(ObjectNode object, String indent, StringBuilder out) {
    object.properties().forEach(entry -> {
      String name = entry.getKey().replace('_', ' ');
      JsonNode value = entry.getValue();
      if (value.isArray() && !value.isEmpty() && value.get(0).isObject() && value.get(0).size() > FEW) {
        for (JsonNode element : value) {
          out.append(indent).append(name).append(":\n");
          write((ObjectNode) element, indent + "  ", out);
        }
      } else {
        out.append(String.format("%s%-" + (NAME_WIDTH + 2 - indent.length()) + "s %s%n", indent, name, Printable.of(inline(value), LONGEST_VALUE)));
      }
    });
  }

  private static String inline(JsonNode value) {
    if (value.isNull() || value.isArray() && value.isEmpty()) {
      return "none";
    }
    if (value.isArray()) {
      String shown = StreamSupport.stream(value.spliterator(), false).limit(MAX_SHOWN).map(SectionText::inline).collect(Collectors.joining(", "));
      return value.size() > MAX_SHOWN ? shown + ", … " + (value.size() - MAX_SHOWN) + " more" : shown;
    }
    if (value.has("id") && value.has("text")) {
      return value.get("id").asLong() + " (" + value.get("text").asText() + ")";
    }
    if (value.isObject()) {
      return value.properties().stream().map(entry -> entry.getKey().equals("kind") ? inline(entry.getValue())
          : entry.getKey().replace('_', ' ') + " " + inline(entry.getValue())).collect(Collectors.joining(", "));
    }
    if (value.isBoolean()) {
      return value.asBoolean() ? "yes" : "no";
    }
    if (value.isFloatingPointNumber()) {
      return Float.toString((float) value.asDouble());
    }
    return value.isIntegralNumber() ? String.format(Locale.ROOT, "%,d", value.asLong()) : value.asText();
  }
}
