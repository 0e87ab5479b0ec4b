package dev.nibble.tokenizer;

import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.tokenizer.pretokenize.PreTokenizer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** Vocabularies in GGUF metadata ({@code tokenizer.*}). */
public final class GgufVocabulary {
  private static final String PREFIX = "tokenizer.ggml.";

  private GgufVocabulary() {}

  /**
   * Reads the vocabulary of a file.
   *
   * @throws InvalidVocabularyException if it is missing, damaged, or of a kind that is not supported
   */
  public static Vocabulary read(GgufMetadata metadata) throws InvalidVocabularyException {
    List<String> tokens = metadata.strings(PREFIX + "tokens").orElseThrow(() -> invalid(metadata, "no " + PREFIX + "tokens"));
    String model = metadata.string(PREFIX + "model").orElseThrow(() -> invalid(metadata, "no " + PREFIX + "model"));
    boolean sentencePiece = model.equals("llama");
    List<TokenType> types = types(metadata, tokens, sentencePiece);
    Vocabulary.Algorithm algorithm = switch (model) {
      case "llama" -> new Vocabulary.SentencePiece(metadata.bool(PREFIX + "add_space_prefix").orElse(true));
      case "gpt2" -> byteLevel(metadata);
      default -> throw invalid(metadata, PREFIX + "model is \"" + model + "\"; supported: gpt2, llama");
    };
    OptionalInt beginning = id(metadata, "bos_token_id", tokens.size());
    OptionalInt end = id(metadata, "eos_token_id", tokens.size());
    Set<Integer> ends = new LinkedHashSet<>();
    end.ifPresent(ends::add);
    for (String key : List.of("eot_token_id", "eom_token_id")) {
      id(metadata, key, tokens.size()).ifPresent(ends::add);
    }
    boolean addsBeginning = switch (algorithm) {
      case Vocabulary.SentencePiece piece -> true;
      case Vocabulary.ByteLevel bytes -> bytes.preTokenizer().addsBeginning();
    };
    float[] scores = new float[0];
    if (sentencePiece) {
      double[] wide = metadata.numbers(PREFIX + "scores").orElseThrow(() -> invalid(metadata, "no " + PREFIX + "scores"));
      scores = new float[wide.length];
      for (int i = 0; i < wide.length; i++) {
        scores[i] = (float) wide[i];
      }
    }
    List<String> merges = sentencePiece ? List.of() : metadata.strings(PREFIX + "merges").orElseThrow(() -> invalid(metadata, "no " + PREFIX + "merges"));
    return new Vocabulary(algorithm, tokens, types, scores, merges, beginning, end,
        metadata.bool(PREFIX + "add_bos_token").orElse(addsBeginning), metadata.bool(PREFIX + "add_eos_token").orElse(false), ends,
        metadata.string("tokenizer.chat_template"));
  }

  /**
   * The tokenizer of a file's vocabulary.
   *
   * @throws InvalidVocabularyException that names the file, if it is missing, damaged, of a kind that is not supported, or its parts do not go together
   */
  public static VocabularyTokenizer tokenizer(GgufMetadata metadata) throws InvalidVocabularyException {
    Vocabulary vocabulary = read(metadata);
    try {
      return new VocabularyTokenizer(vocabulary);
    } catch (InvalidVocabularyException apart) {
      throw invalid(metadata, apart.getMessage());
    }
  }

  private static Vocabulary.Algorithm byteLevel(GgufMetadata metadata) throws InvalidVocabularyException {
    String name = metadata.string(PREFIX + "pre").filter(given -> !given.isEmpty()).orElse("default");
    PreTokenizer pre = PreTokenizer.named(name).orElseThrow(() -> invalid(metadata, PREFIX + "pre is \"" + name + "\"; supported: " + PreTokenizer.known()));
    return new Vocabulary.ByteLevel(pre, pre.nfc(), pre.wholeWords());
  }

  private static List<TokenType> types(GgufMetadata metadata, List<String> tokens, boolean sentencePiece) throws InvalidVocabularyException {
    int size = tokens.size();
    Optional<long[]> numbers = metadata.integers(PREFIX + "token_type");
    if (numbers.isEmpty()) {
      return sentencePiece ? typesByName(metadata, tokens) : Collections.nCopies(size, TokenType.NORMAL);
    }
    if (numbers.get().length != size) {
      throw invalid(metadata, numbers.get().length + " token types for " + size + " tokens");
    }
    List<TokenType> types = new ArrayList<>(size);
    for (long number : numbers.get()) {
      if (number < 1 || number > TokenType.values().length) {
        throw invalid(metadata, "token type " + number + " of token " + types.size() + " is unknown");
      }
      types.add(TokenType.values()[(int) number - 1]);
    }
    return types;
  }

  /** Of a SentencePiece vocabulary without types: bytes have names of their own. Control tokens {@link Markers} finds. */
  private static List<TokenType> typesByName(GgufMetadata metadata, List<String> tokens) {
    List<TokenType> types = new ArrayList<>(Collections.nCopies(tokens.size(), TokenType.NORMAL));
    for (int id = 0; id < tokens.size(); id++) {
      if (SentencePieceEncoder.namesByte(tokens.get(id))) {
        types.set(id, TokenType.BYTE);
      }
    }
    id(metadata, "unknown_token_id", tokens.size()).ifPresent(id -> types.set(id, TokenType.UNKNOWN));
    return types;
  }

  private static OptionalInt id(GgufMetadata metadata, String key, int size) {
    return metadata.integer(PREFIX + key).isPresent() ? OptionalInt.of(metadata.requireInteger(PREFIX + key, 0, size - 1)) : OptionalInt.empty();
  }

  private static InvalidVocabularyException invalid(GgufMetadata metadata, String what) {
    return new InvalidVocabularyException("unusable vocabulary in " + metadata.file() + ": " + what);
  }

  /** The metadata that hold a vocabulary. */
  public static Map<String, GgufValue> write(Vocabulary vocabulary) {
    Map<String, GgufValue> out = new LinkedHashMap<>();
    switch (vocabulary.algorithm()) {
      case Vocabulary.ByteLevel algorithm -> {
        out.put(PREFIX + "model", GgufValue.text("gpt2"));
        out.put(PREFIX + "pre", GgufValue.text(algorithm.preTokenizer().ggufName()));
      }
      case Vocabulary.SentencePiece algorithm -> {
        out.put(PREFIX + "model", GgufValue.text("llama"));
        out.put(PREFIX + "add_space_prefix", GgufValue.bool(algorithm.spacePrefix()));
        out.put(PREFIX + "scores", GgufValue.float32s(vocabulary.scores()));
      }
    }
    out.put(PREFIX + "tokens", GgufValue.texts(vocabulary.tokens()));
    out.put(PREFIX + "token_type", GgufValue.int32s(vocabulary.types().stream().mapToInt(type -> type.ordinal() + 1).toArray()));
    if (!vocabulary.merges().isEmpty()) {
      out.put(PREFIX + "merges", GgufValue.texts(vocabulary.merges()));
    }
    vocabulary.beginning().ifPresent(id -> out.put(PREFIX + "bos_token_id", GgufValue.uint32(id)));
    vocabulary.end().ifPresent(id -> out.put(PREFIX + "eos_token_id", GgufValue.uint32(id)));
    // One more end token can be told; those with usual names are found without.
    vocabulary.endOfGeneration().stream().filter(id -> vocabulary.end().orElse(-1) != id && !Markers.endsByName(vocabulary, id))
        .findFirst().ifPresent(id -> out.put(PREFIX + "eot_token_id", GgufValue.uint32(id)));
    out.put(PREFIX + "add_bos_token", GgufValue.bool(vocabulary.addBeginning()));
    out.put(PREFIX + "add_eos_token", GgufValue.bool(vocabulary.addEnd()));
    vocabulary.chatTemplate().ifPresent(template -> out.put("tokenizer.chat_template", GgufValue.text(template)));
    return out;
  }
}
