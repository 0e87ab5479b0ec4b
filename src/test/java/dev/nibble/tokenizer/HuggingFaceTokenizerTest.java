package dev.nibble.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is of the wrong kind in a folder's tokenizer is refused by its name, not taken for something else. */
final class HuggingFaceTokenizerTest {
  private static final String TOKENIZER = """
      {"added_tokens":[{"id":3,"content":"<s>","special":true}],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},\
      "model":{"type":"BPE","ignore_merges":false,"byte_fallback":false,"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}""";
  private static final String CONFIG = "{\"bos_token\":\"<s>\",\"eos_token\":{\"content\":\"<s>\"},\"add_bos_token\":true,\"chat_template\":\"{{ messages }}\"}";

  @TempDir
  Path folder;

  private Vocabulary read(String tokenizer, String config) throws IOException {
    Files.writeString(folder.resolve("tokenizer.json"), tokenizer);
    Files.writeString(folder.resolve("tokenizer_config.json"), config);
    return HuggingFaceTokenizer.read(folder);
  }

  @Test
  void whatIsRightIsRead() throws IOException {
    Vocabulary vocabulary = read(TOKENIZER, CONFIG);
    assertThat(vocabulary.tokens()).containsExactly("a", "b", "ab", "<s>");
    assertThat(vocabulary.merges()).containsExactly("a b");
    assertThat(vocabulary.addBeginning()).isTrue();
    assertThat(vocabulary.chatTemplate()).hasValue("{{ messages }}");
    assertThat(read(TOKENIZER.replace("\"a b\"", "[\"a\",\"b\"]"), "{\"bos_token\":null,\"chat_template\":null}").merges()).containsExactly("a b");
  }

  @Test
  void ofSeveralTemplatesTheOneNamedDefaultIsTaken() throws IOException {
    String several = "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"t\"},{\"name\":\"default\",\"template\":\"d\"}]}";
    assertThat(read(TOKENIZER, several).chatTemplate()).hasValue("d");
    assertThat(read(TOKENIZER, several.replace("default", "rag")).chatTemplate()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
      "\"special\":true | \"special\":1 | special is 1, not true or false",
      "\"content\":\"<s>\" | \"content\":7 | content is 7, not a text",
      "\"normalizer\":null | \"normalizer\":\"NFC\" | type is missing, not a text",
      "\"normalizer\":null | \"normalizer\":{\"type\":\"NFKC\"} | normalizer of type \"NFKC\"",
      "\"use_regex\":true | \"use_regex\":\"no\" | use_regex is \"no\", not true or false",
      "\"add_prefix_space\":false | \"add_prefix_space\":0 | add_prefix_space is 0",
      "\"ignore_merges\":false | \"ignore_merges\":\"yarn\" | ignore_merges is \"yarn\"",
      "\"byte_fallback\":false | \"byte_fallback\":[] | byte_fallback is []",
      "\"ab\":2 | \"ab\":2.5 | token \"ab\" with id 2.5",
      "\"ab\":2 | \"ab\":\"2\" | token \"ab\" with id \"2\"",
      "[\"a b\"] | [5] | merge 0 is 5, neither a text nor two",
      "[\"a b\"] | [[\"a\"]] | merge 0 is [\"a\"], neither",
      "[\"a b\"] | [[\"a\",1]] | merge 0 is [\"a\",1], neither"})
  void wrongKindsInTheTokenizer(String right, String wrong, String message) {
    assertThat(TOKENIZER).contains(right);
    assertThatThrownBy(() -> read(TOKENIZER.replace(right, wrong), CONFIG)).isInstanceOf(InvalidVocabularyException.class)
        .hasMessageStartingWith("unusable vocabulary in " + folder.resolve("tokenizer.json")).hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
      "\"bos_token\":\"<s>\" | \"bos_token\":0 | bos_token is 0, not a text",
      "{\"content\":\"<s>\"} | {\"content\":null} | content is null, not a text",
      "\"add_bos_token\":true | \"add_bos_token\":0.5 | add_bos_token is 0.5, not true or false",
      "\"{{ messages }}\" | false | chat_template is false, not a text",
      "\"{{ messages }}\" | [1] | name is missing, not a text"})
  void wrongKindsInItsConfiguration(String right, String wrong, String message) {
    assertThat(CONFIG).contains(right);
    assertThatThrownBy(() -> read(TOKENIZER, CONFIG.replace(right, wrong))).isInstanceOf(InvalidVocabularyException.class).hasMessageContaining(message);
  }
}
