package dev.nibble.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.nibble.SharedFixtures;
import dev.nibble.format.gguf.GgufFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

/** Templates come with models, from strangers: none may run for ever, fill the memory, or end anything but its own conversation. */
final class ChatTemplateBoundsTest {
  private static final Duration HUNG = Duration.ofMinutes(2);
  private static final List<ChatMessage> HI = List.of(new ChatMessage("user", "hi"));

  private static VocabularyTokenizer tokenizer(String template) throws IOException {
    Vocabulary home;
    try (GgufFile file = GgufFile.open(Path.of("src/main/resources/models/nibble-home.gguf"))) {
      home = GgufVocabulary.read(file.metadata());
    }
    return new VocabularyTokenizer(new Vocabulary(home.algorithm(), home.tokens(), home.types(), home.scores(), home.merges(), home.beginning(), home.end(),
        home.addBeginning(), home.addEnd(), home.endOfGeneration(), Optional.of(template)));
  }

  private static String doubling(int times) {
    return "{% set x = 'ab' %}" + "{% set x = x + x %}".repeat(times) + "{{ x }}";
  }

  private static String loops(int depth, int width) {
    String list = "[" + "1,".repeat(width) + "]";
    return ("{% for a in " + list + " %}").repeat(depth) + "x" + "{% endfor %}".repeat(depth);
  }

  private static List<String> hostile() {
    String big = "{% set x = 'ab' %}" + "{% set x = x + x %}".repeat(18);
    StringBuilder kept = new StringBuilder(big);
    for (int i = 0; i < 2000; i++) {
      kept.append("{% set v").append(i).append(" = x + 'c' %}");
    }
    return List.of(doubling(64), loops(12, 40), kept.toString(), "{{ " + "(".repeat(200_000) + "1" + ")".repeat(200_000) + " }}", "{{ " + "not ".repeat(200_000) + "1 }}",
        "{{ " + "-".repeat(200_000) + "1 }}", "{{ " + "[".repeat(200_000) + "]".repeat(200_000) + " }}", "{% if 1 %}".repeat(40_000) + "{% endif %}".repeat(40_000),
        "{% for m in messages %}".repeat(40_000), "{{ " + "x ~ ".repeat(200_000) + "x }}" + loops(3, 100),
        big + "{% set y = x + 'c' %}{% for i in [" + "1,".repeat(1000) + "] %}{% if y in x + x %}{% endif %}{% endfor %}",
        big + "{% for i in [" + "1,".repeat(5000) + "] %}{% for j in [" + "1,".repeat(5000) + "] %}{% if x == x %}{% endif %}{% endfor %}{% endfor %}",
        big + "{% for i in [" + "1,".repeat(5000) + "] %}{{ x | trim }}{% endfor %}");
  }

  @Test
  void hostileTemplatesAreFoundAtLoad() {
    Assertions.assertTimeoutPreemptively(HUNG, () -> {
      for (String template : hostile()) {
        VocabularyTokenizer tokenizer = tokenizer(template);
        String shown = template.substring(0, 40);
        assertThat(tokenizer.whyNoChat()).as(shown).get().asString().startsWith("its chat template can't be used: line 1, column ")
            .containsAnyOf("rendering takes more steps than are allowed", "it makes a text of more than 1048576 characters", "it is nested too deep").hasSizeLessThan(300);
        ChatTemplateException refusal = catchThrowableOfType(ChatTemplateException.class, () -> tokenizer.encodeChat(HI));
        assertThat(refusal.fault()).isEqualTo(ChatTemplateException.Fault.MODEL);
        assertThat(tokenizer.encode("text goes on", false)).isNotEmpty();
      }
    });
  }

  /** Fine with short conversations, so that it loads; then hostile: whoever hangs up is not rendered for, and the rest ends by itself. */
  @Test
  void whatIsHostileLaterEndsToo() throws IOException {
    String trap = "{% for m in messages %}{% if m.content == 'now' %}" + loops(12, 40) + "{% endif %}{% if m.content == 'big' %}" + doubling(40)
        + "{% endif %}{{ m.content }}{% endfor %}";
    VocabularyTokenizer tokenizer = tokenizer(trap);
    assertThat(tokenizer.whyNoChat()).isEmpty();
    assertThat(tokenizer.encodeChat(HI)).isNotEmpty();
    Assertions.assertTimeoutPreemptively(HUNG, () -> {
      for (String said : List.of("now", "big")) {
        ChatTemplateException refusal = catchThrowableOfType(ChatTemplateException.class, () -> tokenizer.encodeChat(List.of(new ChatMessage("user", said))));
        assertThat(refusal.fault()).isEqualTo(ChatTemplateException.Fault.MODEL);
      }
      int[] asked = {0};
      EncodingBudget left = new EncodingBudget(Integer.MAX_VALUE, Long.MAX_VALUE, () -> ++asked[0] > 3);
      assertThat(catchThrowableOfType(EncodingStoppedException.class, () -> tokenizer.encodeChat(List.of(new ChatMessage("user", "now")), left)).reason())
          .isEqualTo(EncodingStoppedException.Cause.CANCELLED);
      assertThat(asked[0]).isEqualTo(4);
    });
    // A long conversation is not hostile.
    assertThat(tokenizer.encodeChat(List.of(new ChatMessage("user", "word ".repeat(400_000))))).hasSizeGreaterThan(400_000);
  }

  @Test
  void whatIsWrongIsToldAtLoadWithItsPlace() throws IOException {
    assertThat(tokenizer("a\n{# a\ncomment #}\n{%- for m in messages %}\n{{ m.content | shout }}\n{% endfor %}").whyNoChat())
        .contains("its chat template can't be used: line 5, column 16: No filter named 'shout'.");
    assertThat(tokenizer("{% macro f(x)\r\n %}\u001b[31m").whyNoChat().orElseThrow())
        .startsWith("its chat template can't be used: line 2, column 9: Unexpected end of template.").contains("'endmacro'");
    assertThat(tokenizer("{{ '\u001b[2J' \u001b }}").whyNoChat().orElseThrow()).startsWith("its chat template can't be used: line 1, column 11: unexpected char").doesNotContain("\u001b");
    assertThat(tokenizer("\n{{ messages[0].tools.first }}").whyNoChat())
        .contains("its chat template can't be used: line 2, column 21: 'dict object' has no attribute 'tools'");
    assertThat(tokenizer("{{ raise_exception('only tools') }}").whyNoChat()).contains("its chat template refuses a user's message: only tools");
    assertThat(tokenizer("{{ 1 }}".repeat(200_000)).whyNoChat()).contains("its chat template can't be used: it has 1400000 characters; at most 1048576 can be used");
    // What conversations do not reach is no hindrance, nor is a template that takes no system message.
    assertThat(tokenizer("{% if tools %}{{ tools | shout }}{% endif %}{{ messages[0].content }}").whyNoChat()).isEmpty();
    VocabularyTokenizer strict = tokenizer("{% if messages[0].role == 'system' %}{{ raise_exception('no system messages') }}{% endif %}{{ messages[0].content }}");
    assertThat(strict.whyNoChat()).isEmpty();
    ChatTemplateException refusal = catchThrowableOfType(ChatTemplateException.class, () -> strict.encodeChat(List.of(new ChatMessage("system", "x"))));
    assertThat(refusal.fault()).isEqualTo(ChatTemplateException.Fault.CONVERSATION);
    assertThat(refusal).hasMessage("no system messages");
  }

  /** Published templates: each can be used, or is refused when it is loaded, with its reason. */
  @Test
  void publishedTemplatesAreUsed() throws IOException {
    Path folder = SharedFixtures.require("templates/templates");
    Map<String, String> refused = new HashMap<>();
    List<Path> files;
    try (Stream<Path> list = Files.list(folder)) {
      files = list.sorted().toList();
    }
    assertThat(files).hasSize(82);
    for (Path file : files) {
      VocabularyTokenizer tokenizer = tokenizer(Files.readString(file));
      if (tokenizer.whyNoChat().isPresent()) {
        refused.put(file.getFileName().toString(), tokenizer.whyNoChat().get());
      } else {
        assertThat(tokenizer.encodeChat(HI)).as(file.toString()).isNotEmpty();
      }
    }
    // Three want documents or tools that no conversation here has, and one its own roles: transformers can't render these either.
    String unusable = "its chat template can't be used: ";
    assertThat(refused).isEqualTo(Map.of("c4ai-command-r-v01.jinja", unusable + "line 14, column 4: 'NoneType' object is not iterable",
        "c4ai-command-r-v01-json-schema.jinja", unusable + "line 142, column 1: 'NoneType' object is not iterable",
        "hermes-2-pro-llama-3-8b-json-schema.jinja", unusable + "line 36, column 1: 'NoneType' object is not iterable",
        "firefunction-v1.jinja", "its chat template refuses a user's message: Expected either \"functions\" or [\"system\", \"functions\"] as the first messages"));
  }

  /** Published templates with characters changed, cut and doubled: no error but those that are meant for this. */
  @Test
  void damagedTemplatesAreRefusedToo() throws IOException {
    Path folder = SharedFixtures.require("templates/templates");
    Random random = new Random(5);
    List<String> sources = new ArrayList<>();
    for (String name : List.of("gguf-home", "gguf-phi3", "cz-qwen2.5-instruct", "qwen1.5-72b-chat", "cz-granite-3.0-instruct", "deepseek-llm-7b-chat")) {
      sources.add(Files.readString(folder.resolve(name + ".jinja")));
    }
    for (int round = 0; round < 2000; round++) {
      StringBuilder source = new StringBuilder(sources.get(random.nextInt(sources.size())));
      for (int i = random.nextInt(4); i >= 0; i--) {
        int at = random.nextInt(source.length());
        switch (random.nextInt(3)) {
          case 0 -> source.setCharAt(at, "{}%'\"()[]|+-~.=!#".charAt(random.nextInt(17)));
          case 1 -> source.delete(at, Math.min(source.length(), at + 1 + random.nextInt(10)));
          default -> source.insert(at, source.substring(at, Math.min(source.length(), at + random.nextInt(40))));
        }
        source.append(' ');
      }
      assertThatCode(() -> {
        try {
          new ChatTemplate(source.toString(), Clock.systemUTC()).tryOut(HI, "<s>", "</s>");
        } catch (ChatTemplateException refused) {
          assertThat(refused.getMessage()).isNotBlank();
        }
      }).as(source.toString()).doesNotThrowAnyException();
    }
  }
}
