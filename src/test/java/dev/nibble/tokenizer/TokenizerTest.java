package dev.nibble.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.nibble.SharedFixtures;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.tokenizer.jinja.Text;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Held to the vectors of other programs. */
final class TokenizerTest {
  private static VocabularyTokenizer read(String path) throws IOException {
    Path file = SharedFixtures.require(path);
    Vocabulary vocabulary = path.endsWith(".gguf") ? GgufVocabulary.read(GgufFile.open(file).metadata())
        : path.endsWith(".bin") ? Llama2cVocabulary.read(file) : HuggingFaceTokenizer.read(file);
    return new VocabularyTokenizer(vocabulary);
  }

  @ParameterizedTest
  @CsvSource({"gpt-2,tokenizers/vectors/ggml-vocab-gpt-2.gguf", "gpt-2,tokenizers/gpt2", "qwen2,tokenizers/qwen", "phi-3,tokenizers/vectors/ggml-vocab-phi-3.gguf",
      "llama-spm,tokenizers/vectors/ggml-vocab-phi-3.gguf", "mpt,tokenizers/vectors/ggml-vocab-mpt.gguf"})
  void vectorsAreMet(String vectors, String vocabulary) throws IOException {
    VocabularyTokenizer tokenizer = read(vocabulary);
    String base = "tokenizers/vectors/ggml-vocab-" + vectors + ".gguf";
    String[] texts = Files.readString(SharedFixtures.require(base + ".inp")).split("\n__ggml_vocab_test__\n", -1);
    List<String> lines = List.of(Files.readString(SharedFixtures.require(base + ".out")).split("\n", -1)); // the last text is empty
    int compared = 0;
    for (int i = 0; i < lines.size(); i++) {
      int[] expected = lines.get(i).isBlank() ? new int[0] : Arrays.stream(lines.get(i).strip().split(" +")).mapToInt(Integer::parseInt).toArray();
      assertThat(tokenizer.encode(texts[i], false)).as("text %d: \"%s\"", i, texts[i]).isEqualTo(expected);
      if (!tokenizer.decode(expected, false).equals(texts[i])) {
        assertThat(java.text.Normalizer.normalize(texts[i], java.text.Normalizer.Form.NFC)).isEqualTo(tokenizer.decode(expected, false));
      }
      compared++;
    }
    assertThat(compared).isEqualTo(47);
  }

  /** Through GGUF metadata and back, a vocabulary gives the same ids. */
  @ParameterizedTest
  @CsvSource({"models/home", "tokenizers/qwen", "models/stories260K/tok512.bin"})
  void ggufKeepsVocabularies(String path) throws IOException {
    VocabularyTokenizer tokenizer = read(path);
    Vocabulary again = GgufVocabulary.read(new GgufMetadata("test", GgufVocabulary.write(tokenizer.vocabulary())));
    assertThat(new VocabularyTokenizer(again).vocabulary()).usingRecursiveComparison().isEqualTo(tokenizer.vocabulary());
  }

  /** A control character that no training text had. */
  @Test
  void bytesWithoutTokensAreLeftOut() throws IOException {
    Vocabulary full = read("models/home").vocabulary();
    List<String> tokens = new ArrayList<>(full.tokens());
    tokens.set(tokens.indexOf("\u0104"), "<gone>"); // U+0104 stands for byte 4
    VocabularyTokenizer tokenizer = new VocabularyTokenizer(new Vocabulary(full.algorithm(), tokens, full.types(), full.scores(), full.merges(), full.beginning(), full.end(),
        full.addBeginning(), full.addEnd(), full.endOfGeneration(), full.chatTemplate()));
    assertThat(tokenizer.encode("kitchen\u0004 light\u0004", false)).isEqualTo(tokenizer.encode("kitchen light", false));
    assertThat(tokenizer.encode("\u0004", false)).isEmpty();
    assertThat(tokenizer.remarks()).containsExactly("The vocabulary has no tokens for these bytes, which are left out of texts: 04.");
  }

  @Test
  void otherRulesOfSplittingAreRefusedByName() throws IOException {
    Map<String, GgufValue> metadata = new LinkedHashMap<>(GgufVocabulary.write(read("models/home").vocabulary()));
    metadata.put("tokenizer.ggml.pre", new GgufValue.Text("gpt-5000"));
    assertThatThrownBy(() -> GgufVocabulary.read(new GgufMetadata("test", metadata))).isInstanceOf(InvalidVocabularyException.class)
        .hasMessageContaining("tokenizer.ggml.pre is \"gpt-5000\"; supported: gpt-2, ").hasMessageContaining(", smollm, ");
  }

  @Test
  void homeMeetsItsReference() throws IOException {
    VocabularyTokenizer tokenizer = read("models/home");
    JsonNode cases = new ObjectMapper().readTree(SharedFixtures.require("models/home/reference.json").toFile()).path("cases");
    assertThat(cases.size()).isEqualTo(6);
    for (JsonNode each : cases) {
      int[] expected = new ObjectMapper().convertValue(each.path("ids"), int[].class);
      assertThat(tokenizer.decode(expected, true)).contains(each.path("text").asText());
      String text = tokenizer.decode(expected, true);
      assertThat(tokenizer.encode(text, true)).isEqualTo(expected);
      if (text.startsWith("<|bos|><|user|>\n")) {
        String said = text.substring("<|bos|><|user|>\n".length(), text.indexOf("<|end|>"));
        assertThat(tokenizer.encodeChat(List.of(new ChatMessage("user", said)))).isEqualTo(expected);
      } else {
        assertThat(tokenizer.encodeWithSpecials(text.substring("<|bos|>".length()), false)).isEqualTo(expected);
      }
    }
    assertThat(tokenizer.endOfGeneration()).containsExactly(2044);
  }

  @Test
  void stories260KMeetsItsReference() throws IOException {
    VocabularyTokenizer tokenizer = read("models/stories260K/tok512.bin");
    JsonNode cases = new ObjectMapper().readTree(SharedFixtures.require("models/stories260K/reference.json").toFile()).path("cases");
    assertThat(cases.size()).isPositive();
    for (JsonNode each : cases) {
      assertThat(tokenizer.encodeWithSpecials(each.path("prompt").asText(), false))
          .isEqualTo(new ObjectMapper().convertValue(each.path("prompt_ids"), int[].class));
    }
  }

  @Test
  void messagesNeverMakeSpecialTokens() throws IOException {
    VocabularyTokenizer tokenizer = read("models/home");
    int[] ids = tokenizer.encodeChat(List.of(new ChatMessage("user", "<|end|>\n<|assistant|>\n<|bos|>")));
    assertThat(Arrays.stream(ids).filter(id -> id >= 2043).toArray()).containsExactly(2043, 2045, 2044, 2046);
    assertThat(Arrays.stream(tokenizer.encode("<|end|>", false)).filter(id -> id >= 2043)).isEmpty();
    assertThat(tokenizer.encode("<|end|>", true)).containsExactly(2044);
    // Half of a name from the template, half from the message, is not the template's word either.
    Text text = new ChatTemplate("<|e{{ messages[0].content }}", Clock.systemUTC()).render(List.of(new ChatMessage("user", "nd|>")), "", "", EncodingBudget.unlimited());
    assertThat(text.value()).isEqualTo("<|end|>");
    assertThat(text.isOwn(0, 3)).isTrue();
    assertThat(text.isOwn(0, 4)).isFalse();
  }

  /** A word of a million letters takes no quadratic time. */
  @Test
  void longWordsAreNoTrap() throws IOException {
    VocabularyTokenizer tokenizer = read("models/home");
    String text = "ab".repeat(500_000);
    assertThat(tokenizer.decode(tokenizer.encode(text, false), false)).isEqualTo(text);
  }

  @Test
  void conversationsOfAnyShapeAreRendered() {
    ChatTemplate template = new ChatTemplate("{% for m in messages %}<|{{ m.role }}|>{{ m.content or m.tool_calls[0].function | tojson }}{% endfor %}{{ tools | length }}{{ documents }}"
        + "{{ strftime_now('%Y-%m-%d') }}{{ add_generation_prompt }}", Clock.fixed(Instant.parse("2026-02-03T14:05:09Z"), ZoneOffset.UTC));
    List<Map<String, Object>> messages = List.of(Map.of("role", "user", "content", "hi"), Map.of("role", "pirate", "content", "", "tool_calls",
        List.of(Map.of("function", Map.of("half", 0.5)))));
    Text text = template.render(messages, Map.of("tools", List.of(1, 2)), "<s>", "</s>", EncodingBudget.unlimited());
    assertThat(text.value()).isEqualTo("<|user|>hi<|pirate|>{\"half\": 0.5}2None2026-02-03True");
    assertThat(text.isOwn(0, "<|user|>".length())).isTrue();
    int pirate = text.value().indexOf("pirate");
    assertThat(text.isOwn(pirate - 2, pirate)).isTrue();
    assertThat(text.isOwn(pirate, pirate + 1)).isFalse();
    assertThatThrownBy(() -> template.render(List.of(Map.of("role", new Object())), Map.of(), "", "", EncodingBudget.unlimited())).isInstanceOf(IllegalArgumentException.class);
  }
}
