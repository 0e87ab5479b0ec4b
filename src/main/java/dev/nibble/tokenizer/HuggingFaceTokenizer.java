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
      place(text(added, "content"), added.path("id"), flag(added, "special", false) ? TokenType.CONTROL : TokenType.USER_DEFINED);
    }
    for (int id = 0; id < tokens.size(); id++) {
      if (tokens.get(id) == null) {
        tokens.set(id, "[unused " + id + "]");
        types.set(id, TokenType.UNUSED);
      }
    }
    List<String> merges = new ArrayList<>();
    for (JsonNode merge : model.path("merges")) {
      boolean pair = merge.size() == 2 && merge.path(0).isTextual() && merge.path(1).isTextual();
      if (!pair && !merge.isTextual()) {
        throw unsupported("merge " + merges.size() + " is " + merge + ", neither a text nor two");
      }
      merges.add(pair ? merge.path(0).textValue() + " " + merge.path(1).textValue() : merge.textValue());
    }
    boolean sentencePiece = flag(model, "byte_fallback", false);
    Vocabulary.Algorithm algorithm = sentencePiece ? sentencePiece(model) : byteLevel(model);
    OptionalInt beginning = special("bos_token");
    OptionalInt end = special("eos_token");
    Set<Integer> ends = new LinkedHashSet<>();
    end.ifPresent(ends::add);
    return new Vocabulary(algorithm, tokens, types, sentencePiece ? scores(merges) : new float[0], sentencePiece ? List.of() : merges, beginning, end,
        flag(config, "add_bos_token", sentencePiece) && beginning.isPresent(), flag(config, "add_eos_token", false), ends, template());
  }

  /** One template, or the one of several that is named "default". */
  private Optional<String> template() throws InvalidVocabularyException {
    JsonNode given = config.path("chat_template");
    for (JsonNode named : given.isArray() ? given : List.<JsonNode>of()) {
      if (text(named, "name").equals("default")) {
        return Optional.of(text(named, "template"));
      }
    }
    return config.hasNonNull("chat_template") && !given.isArray() ? Optional.of(text(config, "chat_template")) : Optional.empty();
  }

  /** A truth value; {@code otherwise} where there is none. */
  private boolean flag(JsonNode object, String name, boolean otherwise) throws InvalidVocabularyException {
    if (object.hasNonNull(name) && !object.path(name).isBoolean()) {
      throw unsupported(name + " is " + object.path(name) + ", not true or false");
    }
    return object.path(name).asBoolean(otherwise);
  }

  private String text(JsonNode object, String name) throws InvalidVocabularyException {
    if (!object.path(name).isTextual()) {
      throw unsupported(name + " is " + (object.has(name) ? object.path(name).toString() : "missing") + ", not a text");
    }
    return object.path(name).textValue();
  }

  private void place(String token, JsonNode number, TokenType type) throws InvalidVocabularyException {
    int id = number.isIntegralNumber() && number.canConvertToInt() ? number.intValue() : -1;
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
    String normalizer = root.hasNonNull("normalizer") ? text(root.path("normalizer"), "type") : "";
    if (!normalizer.isEmpty() && !normalizer.equals("NFC")) {
      throw unsupported("normalizer of type \"" + normalizer + "\"; supported: NFC");
    }
    boolean nfc = normalizer.equals("NFC");
    boolean wholeWords = flag(model, "ignore_merges", false);
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
        if (flag(step, "add_prefix_space", false)) {
          throw unsupported("pre_tokenizer that adds a space before text: " + step);
        }
        if (flag(step, "use_regex", true)) {
          patterns.add(PreTokenizer.gpt2Pattern());
        }
      }
      case "Digits" -> patterns.add(flag(step, "individual_digits", false) ? "\\p{N}" : "\\p{N}+");
      case "Split" -> {
        // What does not match is a piece of its own, or, with patterns that match everything, is not there.
        boolean inverted = flag(step, "invert", false);
        boolean isolated = step.path("behavior").asText().equalsIgnoreCase("Isolated") && !inverted;
        boolean removed = step.path("behavior").asText().equalsIgnoreCase("Removed") && inverted;
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
    if (!config.hasNonNull(name)) {
      return OptionalInt.empty();
    }
    String token = config.path(name).isObject() ? text(config.path(name), "content") : text(config, name);
    if (token.isEmpty()) {
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
