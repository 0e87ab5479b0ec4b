package dev.nibble.tokenizer.jinja;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.nibble.SharedFixtures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Held to what transformers and jinja2 make of published templates and of snippets: texts to the character, errors by class. */
final class TemplateCasesTest {
  @Test
  void publishedTemplatesRenderAsInTransformers() throws IOException {
    JsonNode all = JinjaCases.read(SharedFixtures.require("templates/cases.json"));
    JsonNode models = JinjaCases.read(SharedFixtures.require("templates/templates.json"));
    Path folder = SharedFixtures.require("templates/templates");
    LocalDateTime clock = LocalDateTime.parse(all.get("clock").textValue());
    Map<String, Template> templates = new HashMap<>();
    Map<String, Map<String, Value>> conversations = new HashMap<>();
    for (Map.Entry<String, JsonNode> each : all.get("conversations").properties()) {
      Map<String, Value> variables = new HashMap<>(Map.of("tools", None.NONE, "documents", None.NONE));
      variables.putAll(JinjaCases.variables(each.getValue()));
      variables.remove("generation_prompt");
      variables.remove("extra");
      if (each.getValue().has("extra")) {
        variables.putAll(JinjaCases.variables(each.getValue().get("extra")));
      }
      conversations.put(each.getKey(), variables);
    }
    List<String> differing = new ArrayList<>();
    int rendered = 0;
    for (JsonNode each : all.get("cases")) {
      String name = each.get("template").textValue();
      if (!templates.containsKey(name)) {
        templates.put(name, new Template(Files.readString(folder.resolve(name + ".jinja"))));
      }
      JsonNode model = models.has(name) ? models.get(name) : models.at("/templates/" + name);
      Map<String, Value> variables = new HashMap<>(conversations.get(each.get("conversation").textValue()));
      variables.put("bos_token", Text.own(model.get("bos_token").textValue()));
      variables.put("eos_token", Text.own(model.get("eos_token").textValue()));
      variables.put("add_generation_prompt", Truth.of(each.get("add_generation_prompt").booleanValue()));
      compare(name + " of " + each.get("conversation").textValue(), JinjaCases.render(templates.get(name), variables, clock), each, differing);
      rendered++;
    }
    assertThat(differing).isEmpty();
    assertThat(rendered).isEqualTo(4673);
    assertThat(templates).hasSize(82);
  }

  @Test
  void snippetsRenderAsInJinja() throws IOException {
    JsonNode all = JinjaCases.read(SharedFixtures.require("templates/engine.json"));
    LocalDateTime clock = LocalDateTime.parse(all.get("clock").textValue());
    Map<String, Value> data = JinjaCases.variables(all.get("data"));
    List<String> differing = new ArrayList<>();
    int rendered = 0;
    for (JsonNode each : all.get("cases")) {
      Map<String, Value> variables = new HashMap<>(data);
      if (each.has("data")) {
        variables.putAll(JinjaCases.variables(each.get("data")));
      }
      compare(each.get("name").textValue() + ": " + each.get("template"), JinjaCases.render(each.get("template").textValue(), variables, clock), each, differing);
      rendered++;
    }
    assertThat(differing).isEmpty();
    assertThat(rendered).isEqualTo(481);
  }

  private static void compare(String name, JinjaCases.Outcome outcome, JsonNode expected, List<String> differing) {
    if (!outcome.agrees(JinjaCases.Outcome.expected(expected))) {
      differing.add(name + "\n  is       " + outcome + "\n  but was to be " + JinjaCases.Outcome.expected(expected));
    }
  }
}
