package dev.nibble.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.nibble.SharedFixtures;
import dev.nibble.format.gguf.GgufFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Hopeless and abandoned texts of the largest size that a request may have. */
final class EncodingBudgetTest {
  private static final int MEGABYTES = 4_000_000;
  private static final Duration HUNG = Duration.ofMinutes(2);

  private static VocabularyTokenizer read(String path) throws IOException {
    Path file = SharedFixtures.require(path);
    return new VocabularyTokenizer(path.endsWith(".gguf") ? GgufVocabulary.read(GgufFile.open(file).metadata()) : HuggingFaceTokenizer.read(file));
  }

  private static List<String> hopeless() {
    return List.of("a".repeat(MEGABYTES), "ab".repeat(MEGABYTES / 2), " ".repeat(MEGABYTES), "\n".repeat(MEGABYTES), "1".repeat(MEGABYTES), "the cat sat ".repeat(MEGABYTES / 12),
        "\u00e9".repeat(MEGABYTES / 2), "\u4e2d".repeat(MEGABYTES / 3), "\ud83d\ude00".repeat(MEGABYTES / 4), "a" + "\u0301\u0316".repeat(MEGABYTES / 4), "<|".repeat(MEGABYTES / 2),
        "<|end|>".repeat(MEGABYTES / 7));
  }

  /** Work is counted by how often the budget is asked whether anybody waits. */
  private record Outcome(EncodingStoppedException.Cause reason, int checkpoints) {}

  private static Outcome encode(VocabularyTokenizer tokenizer, String text, int maxTokens, int patience) {
    int[] calls = {0};
    EncodingBudget budget = new EncodingBudget(maxTokens, Long.MAX_VALUE, () -> ++calls[0] > patience);
    EncodingStoppedException stopped = catchThrowableOfType(EncodingStoppedException.class, () -> tokenizer.encode(text, true, budget));
    return new Outcome(stopped == null ? null : stopped.reason(), calls[0]);
  }

  @ParameterizedTest
  @ValueSource(strings = {"models/home", "tokenizers/qwen", "tokenizers/vectors/ggml-vocab-gpt-2.gguf", "tokenizers/vectors/ggml-vocab-phi-3.gguf"})
  void hopelessTextsEndSoon(String path) throws IOException {
    VocabularyTokenizer tokenizer = read(path);
    Assertions.assertTimeoutPreemptively(HUNG, () -> {
      for (String text : hopeless()) {
        String shown = path + ": " + text.substring(0, 8);
        Outcome hopeless = encode(tokenizer, text, 1024, Integer.MAX_VALUE);
        assertThat(hopeless.reason()).as(shown).isEqualTo(EncodingStoppedException.Cause.TOO_MANY_TOKENS);
        // Looking through a text for special names and marks is some thousand characters a checkpoint; merging it all would be four times as many.
        assertThat(hopeless.checkpoints()).as(shown).isLessThan(path.endsWith("qwen") ? 6000 : 100);
        Outcome abandoned = encode(tokenizer, text, Integer.MAX_VALUE, 50);
        assertThat(abandoned).as(shown).isEqualTo(new Outcome(EncodingStoppedException.Cause.CANCELLED, 51));
      }
    });
  }

  @Test
  void deadlinesEndItToo() throws IOException {
    VocabularyTokenizer tokenizer = read("models/home");
    EncodingBudget late = new EncodingBudget(Integer.MAX_VALUE, System.nanoTime() - 1, () -> false);
    for (String text : List.of("", "hi", "a".repeat(MEGABYTES))) {
      assertThat(catchThrowableOfType(EncodingStoppedException.class, () -> tokenizer.encodeWithSpecials(text, false, late)).reason())
          .isEqualTo(EncodingStoppedException.Cause.TIMED_OUT);
    }
    assertThat(catchThrowableOfType(EncodingStoppedException.class, () -> tokenizer.encodeChat(List.of(new ChatMessage("user", "hi")), late)).reason())
        .isEqualTo(EncodingStoppedException.Cause.TIMED_OUT);
    // As many as there are is not too many.
    int[] ids = tokenizer.encodeWithSpecials("Once upon a time", false);
    assertThat(tokenizer.encodeWithSpecials("Once upon a time", false, new EncodingBudget(ids.length, Long.MAX_VALUE, () -> false))).isEqualTo(ids);
    assertThat(catchThrowableOfType(EncodingStoppedException.class,
        () -> tokenizer.encodeWithSpecials("Once upon a time", false, new EncodingBudget(ids.length - 1, Long.MAX_VALUE, () -> false))).reason())
        .isEqualTo(EncodingStoppedException.Cause.TOO_MANY_TOKENS);
  }

  /** No text has fewer tokens than its length says, whatever it is of: long tokens, spaces, what normalisation shortens, unknown characters, special names. */
  @ParameterizedTest
  @ValueSource(strings = {"models/home", "tokenizers/qwen", "tokenizers/vectors/ggml-vocab-gpt-2.gguf", "tokenizers/vectors/ggml-vocab-phi-3.gguf"})
  void noTextHasFewerTokensThanItsLengthSays(String path) throws IOException {
    VocabularyTokenizer tokenizer = read(path);
    List<String> texts = new ArrayList<>(List.of("", "a", " ", "\u2581".repeat(500), " ".repeat(5000), "\u1FBE\u0308\u0301".repeat(300), "\u212A".repeat(300), "\ud83d\ude00".repeat(100),
        "\u1100\u1161\u11A8".repeat(100)));
    Vocabulary vocabulary = tokenizer.vocabulary();
    int longest = 0;
    for (int id = 0; id < tokenizer.vocabularySize(); id++) {
      byte[] bytes = tokenizer.bytes(id, true);
      if (bytes.length >= longest || vocabulary.types().get(id) == TokenType.CONTROL || vocabulary.types().get(id) == TokenType.USER_DEFINED) {
        longest = Math.max(longest, bytes.length);
        texts.add(new String(bytes, StandardCharsets.UTF_8).repeat(50));
      }
    }
    for (String text : texts) {
      int bytes = text.getBytes(StandardCharsets.UTF_8).length;
      assertThat(tokenizer.minTokens(bytes)).as("%s: %s", path, text).isLessThanOrEqualTo(tokenizer.encode(text, true).length)
          .isLessThanOrEqualTo(tokenizer.encode(text, false).length);
    }
    assertThat(tokenizer.minTokens(0)).isZero();
    assertThat(tokenizer.minTokens(1)).isOne();
    assertThat(tokenizer.minTokens(Integer.MAX_VALUE)).as("of use").isGreaterThan(Integer.MAX_VALUE / 1200);
    assertThat(tokenizer.minTokens(Long.MAX_VALUE / 2)).isEqualTo(Integer.MAX_VALUE);
  }

  /** Merged piecewise as the encoder does, or all at once by the definition: the same tokens. */
  @Test
  void wordsOfSentencePieceAreMergedAsTheWholeTextWouldBe() throws Exception {
    List<String> tokens = new ArrayList<>(List.of("<unk>"));
    Random random = new Random(7);
    Map<String, Float> pieces = new HashMap<>();
    String letters = "ab\u2581cd\ud83d\ude00";
    int[] points = letters.codePoints().toArray();
    for (int point : points) {
      pieces.put(Character.toString(point), 0f);
    }
    for (int i = 0; i < 60; i++) {
      StringBuilder piece = new StringBuilder();
      for (int length = 2 + random.nextInt(4); length > 0; length--) {
        piece.appendCodePoint(points[random.nextInt(i % 2 == 0 ? 2 : points.length)]);
      }
      pieces.put(piece.toString(), (float) -random.nextInt(20)); // equal scores too
    }
    tokens.addAll(pieces.keySet());
    float[] scores = new float[tokens.size()];
    List<TokenType> types = new ArrayList<>(List.of(TokenType.UNKNOWN));
    for (int id = 1; id < scores.length; id++) {
      scores[id] = pieces.get(tokens.get(id));
      types.add(TokenType.NORMAL);
    }
    VocabularyTokenizer tokenizer = new VocabularyTokenizer(new Vocabulary(new Vocabulary.SentencePiece(true), tokens, types, scores, List.of(), OptionalInt.empty(),
        OptionalInt.empty(), false, false, Set.of(), Optional.empty()));
    for (int round = 0; round < 2000; round++) {
      StringBuilder text = new StringBuilder();
      for (int length = random.nextInt(60); length > 0; length--) {
        int point = points[random.nextInt(points.length)];
        text.appendCodePoint(point == 0x2581 ? ' ' : point);
      }
      int[] expected = text.isEmpty() ? new int[0] : byDefinition("\u2581" + text.toString().replace(' ', '\u2581'), tokens::indexOf, scores);
      assertThat(tokenizer.encode(text.toString(), false)).as(text.toString()).isEqualTo(expected);
    }
  }

  /** The pair whose merged token has the highest score, the leftmost among equals, until there is none. */
  private static int[] byDefinition(String text, Function<String, Integer> ids, float[] scores) {
    List<String> symbols = new ArrayList<>(text.codePoints().mapToObj(Character::toString).toList());
    while (true) {
      int best = -1;
      float score = Float.NEGATIVE_INFINITY;
      for (int i = 0; i + 1 < symbols.size(); i++) {
        int id = ids.apply(symbols.get(i) + symbols.get(i + 1));
        if (id > 0 && scores[id] > score) {
          best = i;
          score = scores[id];
        }
      }
      if (best < 0) {
        return symbols.stream().mapToInt(ids::apply).toArray();
      }
      symbols.set(best, symbols.get(best) + symbols.remove(best + 1));
    }
  }

  /** Long prose goes through and comes back. */
  @Test
  void proseComesBack() throws IOException {
    String text = Files.readString(SharedFixtures.require("corpora/tinystories/tinystories_valid_1.7k.txt")).substring(0, 200_000);
    VocabularyTokenizer tokenizer = read("tokenizers/vectors/ggml-vocab-phi-3.gguf");
    assertThat(tokenizer.decode(tokenizer.encode(text, false), false)).isEqualTo(text);
  }
}
