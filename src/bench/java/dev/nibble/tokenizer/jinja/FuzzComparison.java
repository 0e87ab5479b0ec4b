package dev.nibble.tokenizer.jinja;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * Renders the templates that {@code src/bench/jinja/fuzz.py} made, and compares with jinja2: texts to the character, errors by class, and by message where the
 * template raises. Ends with 1 if any differs.
 */
final class FuzzComparison {
  private static final int SHOWN = 25;

  private FuzzComparison() {}

  public static void main(String[] arguments) throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    int[] counts = new int[4]; // texts, errors, errors of the same message, differences
    Map<String, Integer> errors = new TreeMap<>();
    try (BufferedReader lines = Files.newBufferedReader(Path.of(arguments[0]))) {
      JsonNode head = mapper.readTree(lines.readLine());
      LocalDateTime clock = LocalDateTime.parse(head.get("clock").textValue());
      Map<String, Value> variables = new HashMap<>();
      for (Map.Entry<String, JsonNode> each : head.get("data").properties()) {
        variables.put(each.getKey(), Value.foreign(mapper.readerFor(Object.class).with(DeserializationFeature.USE_BIG_INTEGER_FOR_INTS).readValue(each.getValue())));
      }
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        JsonNode expected = mapper.readTree(line);
        String text = "";
        String error = "";
        String message = "";
        try {
          text = new Template(expected.get("template").textValue()).render(variables, () -> clock, new Limits(1L << 32, 1 << 24, () -> { })).value();
        } catch (TemplateException e) {
          error = e.kind().className();
          message = e.getMessage();
        }
        boolean same;
        if (expected.has("text")) {
          counts[0]++;
          same = error.isEmpty() && expected.get("text").textValue().equals(text);
        } else {
          counts[1]++;
          counts[2] += message.equals(expected.get("message").textValue()) ? 1 : 0;
          errors.merge(expected.get("error").textValue(), 1, Integer::sum);
          same = error.equals(expected.get("error").textValue()) && (!error.equals("TemplateError") || message.equals(expected.get("message").textValue()));
        }
        if (!same && counts[3]++ < SHOWN) {
          System.out.println(line + "\n  but is " + (error.isEmpty() ? mapper.writeValueAsString(text) : error + ": " + message));
        }
      }
    }
    System.out.printf("%d templates: %d texts, %d errors (%d with the same message) %s; %d differ%n", counts[0] + counts[1], counts[0], counts[1], counts[2], errors, counts[3]);
    System.exit(counts[3] == 0 ? 0 : 1);
  }
}
