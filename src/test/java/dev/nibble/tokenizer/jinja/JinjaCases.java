package dev.nibble.tokenizer.jinja;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** Renders templates with variables that are written as JSON. */
final class JinjaCases {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private JinjaCases() {}

  /** What a template makes: text, or the class of an error and its message. */
  record Outcome(String text, String error, String message) {
    static Outcome expected(JsonNode of) {
      return of.has("text") ? new Outcome(of.get("text").textValue(), null, null)
          : new Outcome(null, of.at("/error/class").textValue(), of.at("/error/message").textValue());
    }

    /** Errors agree by class, and those that the template raises by message. */
    boolean agrees(Outcome expected) {
      if (expected.error == null) {
        return expected.text.equals(text);
      }
      return expected.error.equals(error) && (!error.equals("TemplateError") || expected.message.equals(message));
    }
  }

  static JsonNode read(Path file) throws IOException {
    return MAPPER.readTree(file.toFile());
  }

  /** Variables from an object: integers of any size, floating-point numbers as such. */
  static Map<String, Value> variables(JsonNode object) {
    Map<String, Value> variables = new LinkedHashMap<>();
    object.fields().forEachRemaining(entry -> {
      try {
        Object value = MAPPER.readerFor(Object.class).with(DeserializationFeature.USE_BIG_INTEGER_FOR_INTS).readValue(entry.getValue());
        variables.put(entry.getKey(), Value.foreign(value));
      } catch (IOException e) {
        throw new IllegalArgumentException(e);
      }
    });
    return variables;
  }

  static Limits limits() {
    return new Limits(1 << 26, 1 << 22, () -> { });
  }

  static Outcome render(String template, Map<String, Value> variables, LocalDateTime clock) {
    try {
      return render(new Template(template), variables, clock);
    } catch (TemplateException e) {
      return failed(e);
    }
  }

  static Outcome render(Template template, Map<String, Value> variables, LocalDateTime clock) {
    try {
      return new Outcome(template.render(variables, () -> clock, limits()).value(), null, null);
    } catch (TemplateException e) {
      return failed(e);
    }
  }

  private static Outcome failed(TemplateException e) {
    if (e.line() < 1 || e.column() < 1) {
      throw new IllegalStateException("no place in the template", e);
    }
    return new Outcome(null, e.kind().className(), Optional.ofNullable(e.getMessage()).orElse(""));
  }
}
