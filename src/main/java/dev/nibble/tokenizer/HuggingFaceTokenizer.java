package dev.nibble.tokenizer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.nibble.format.InputFile;
import dev.nibble.tokenizer.pretokenize.PreTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** Vocabularies of Hugging Face folders: {@code tokenizer.json} (BPE) and, where it is there, {@code tokenizer_config.json}. */
public final class HuggingFaceTokenizer {
  private static final int MOST_TOKENS = 1 << 24;

  private final Path file;
  private final JsonNode root;
  private final JsonNode config;
  private final List<String> tokens = new ArrayList<>();
  private final List<TokenType> types = new ArrayList<>();
  private final Map<String, Integer> ids = new HashMap<>();

  private final int mostTokens;

  private HuggingFaceTokenizer(Path directory, int mostTokens) throws IOException {
    this.mostTokens = mostTokens;
    file = directory.resolve("tokenizer.json");
    root = json(file);
    Path configFile = directory.resolve("tokenizer_config.json");
    config = Files.isRegularFile(configFile) ? json(configFile) : new ObjectMapper().createObjectNode();
  }

  /**
   * Reads a folder's vocabulary.
   *
   * @throws InvalidVocabularyException if it is damaged, or of a kind that is not supported
   * @throws IOException if a file is missing or can't be read
   */
  public static Vocabulary read(Path directory) throws IOException {
    return read(directory, MOST_TOKENS);
  }

  /**
   * Reads a folder's vocabulary, for a model that has so many tokens.
   *
   * @throws InvalidVocabularyException if it is damaged, of a kind that is not supported, or has ids that the model does not have
   * @throws IOException if a file is missing or can't be read
   */
  public static Vocabulary read(Path directory, int mostTokens) throws IOException {
    return new HuggingFaceTokenizer(directory, mostTokens).vocabulary();
  }

  private static JsonNode json(Path file) throws IOException {
    InputFile.require(file);
    try {
      return new ObjectMapper().readTree(Files.readAllBytes(file));
    } catch (JsonProcessingException e) {
      throw new InvalidVocabularyException("invalid JSON in " + file + ": " + e.getOriginalMessage());
    }
  }

  private Vocabulary vocabulary() throws IOException {
    JsonNode model = root.path("model");
    if (!model.path("type").asText("BPE").equals("BPE") || !model.path("vocab").isObject() || !model.path("merges").isArray()) {
      throw unsupported("model of type \"" + model.path("type").asText() + "\"; supported: BPE");
    }
    for (var entry : model.path("vocab").properties()) {
      place(entry.getKey(), entry.getValue(), TokenType.NORMAL);
    }
    for (JsonNode added : root.path("added_tokens")) {
      place(added.path("content").asText(), added.path("id"), added.path("special").asBoolean() ? TokenType.CONTROL : TokenType.USER_DEFINED);
    }
    for (int id = 0; id < tokens.size(); id++) {
      if (tokens.get(id) == null) {
        tokens.set(id, "[unused " + id + "]");
        types.set(id, TokenType.UNUSED);
      }
    }
    List<String> merges = new ArrayList<>();
    for (JsonNode merge : model.path("merges")) {
      merges.add(merge.isArray() ? merge.path(0).asText() + " " + merge.path(1).asText() : merge.asText());
    }
    boolean sentencePiece = model.path("byte_fallback").asBoolean();
    Vocabulary.Algorithm algorithm = sentencePiece ? sentencePiece(model) : byteLevel(model);
    OptionalInt beginning = special("bos_token");
    OptionalInt end = special("eos_token");
    Set<Integer> ends = new LinkedHashSet<>();
    end.ifPresent(ends::add);
    return new Vocabulary(algorithm, tokens, types, sentencePiece ? scores(merges) : new float[0], sentencePiece ? List.of() : merges, beginning, end,
        config.path("add_bos_token").asBoolean(sentencePiece) && beginning.isPresent(), config.path("add_eos_token").asBoolean(false), ends,
        config.path("chat_template").isTextual() ? Optional.of(config.path("chat_template").asText()) : Optional.empty());
  }

  private void place(String token, JsonNode number, TokenType type) throws InvalidVocabularyException {
    int id = number.asInt(-1);
    if (id < 0 || id >= mostTokens) {
      throw unsupported("token \"" + token + "\" with id " + number + "; the model's ids are 0 to " + (mostTokens - 1));
    }
    while (tokens.size() <= id) {
      tokens.add(null);
      types.add(TokenType.UNUSED);
    }
    if (tokens.get(id) != null && !tokens.get(id).equals(token)) {
      throw unsupported("id " + id + " for both \"" + tokens.get(id) + "\" and \"" + token + "\"");
    }
    tokens.set(id, token);
    types.set(id, type);
    ids.put(token, id);
  }

  private Vocabulary.Algorithm byteLevel(JsonNode model) throws InvalidVocabularyException {
    String normalizer = root.path("normalizer").path("type").asText("");
    if (!normalizer.isEmpty() && !normalizer.equals("NFC")) {
      throw unsupported("normalizer of type \"" + normalizer + "\"; supported: NFC");
    }
    boolean nfc = normalizer.equals("NFC");
    boolean wholeWords = model.path("ignore_merges").asBoolean();
    JsonNode pre = root.path("pre_tokenizer");
    List<String> patterns = new ArrayList<>();
    addPatterns(pre, patterns);
    PreTokenizer rule = PreTokenizer.of(patterns, nfc, wholeWords).orElseThrow(() -> unsupported("pre_tokenizer " + pre + "; supported: those of " + PreTokenizer.known()));
    return new Vocabulary.ByteLevel(rule, nfc, wholeWords);
  }

  /** The patterns that a step of splitting stands for, in order. */
  private void addPatterns(JsonNode step, List<String> patterns) throws InvalidVocabularyException {
    switch (step.path("type").asText()) {
      case "Sequence" -> {
        for (JsonNode part : step.path("pretokenizers")) {
          addPatterns(part, patterns);
        }
      }
      case "ByteLevel" -> {
        if (step.path("add_prefix_space").asBoolean()) {
          throw unsupported("pre_tokenizer that adds a space before text: " + step);
        }
        if (step.path("use_regex").asBoolean(true)) {
          patterns.add(PreTokenizer.gpt2Pattern());
        }
      }
      case "Digits" -> patterns.add(step.path("individual_digits").asBoolean() ? "\\p{N}" : "\\p{N}+");
      case "Split" -> {
        // What does not match is a piece of its own, or, with patterns that match everything, is not there.
        boolean isolated = step.path("behavior").asText().equalsIgnoreCase("Isolated") && !step.path("invert").asBoolean();
        boolean removed = step.path("behavior").asText().equalsIgnoreCase("Removed") && step.path("invert").asBoolean();
        if (!isolated && !removed || !step.path("pattern").path("Regex").isTextual()) {
          throw unsupported("pre_tokenizer step " + step + "; supported: Split by a Regex, Isolated");
        }
        patterns.add(step.path("pattern").path("Regex").asText());
      }
      default -> throw unsupported("pre_tokenizer step " + step + "; supported: Sequence, ByteLevel, Digits, Split");
    }
  }

  private Vocabulary.Algorithm sentencePiece(JsonNode model) throws InvalidVocabularyException {
    Integer unknown = ids.get(model.path("unk_token").asText());
    if (unknown != null) {
      types.set(unknown, TokenType.UNKNOWN);
    }
    for (int id = 0; id < tokens.size(); id++) {
      if (tokens.get(id).matches("<0x[0-9A-F]{2}>")) {
        types.set(id, TokenType.BYTE);
      }
    }
    String pre = root.path("pre_tokenizer").path("type").asText("");
    boolean prefix = root.path("normalizer").toString().contains("\"Prepend\"") || pre.equals("Metaspace") && !root.path("pre_tokenizer").path("prepend_scheme").asText("").equals("never");
    if (!pre.isEmpty() && !pre.equals("Metaspace")) {
      throw unsupported("pre_tokenizer of type \"" + pre + "\" with byte fallback");
    }
    return new Vocabulary.SentencePiece(prefix);
  }

  /** SentencePiece orders merges by the merged token's score: the rank of the first merge that makes it, negated. */
  private float[] scores(List<String> merges) {
    float[] scores = new float[tokens.size()];
    Arrays.fill(scores, -merges.size() - 1);
    for (int rank = merges.size() - 1; rank >= 0; rank--) {
      Integer id = ids.get(merges.get(rank).replace(" ", ""));
      if (id != null) {
        scores[id] = -rank;
      }
    }
    return scores;
  }

  private OptionalInt special(String name) throws InvalidVocabularyException {
    JsonNode node = config.path(name);
    String token = node.isObject() ? node.path("content").asText() : node.asText("");
    if (token.isEmpty() || node.isNull()) {
      return OptionalInt.empty();
    }
    Integer id = ids.get(token);
    if (id == null) {
      throw unsupported(name + " \"" + token + "\", which is not in the vocabulary");
    }
    return OptionalInt.of(id);
  }

  private InvalidVocabularyException unsupported(String what) {
    return new InvalidVocabularyException("unusable vocabulary in " + file + ": " + what);
  }
}
