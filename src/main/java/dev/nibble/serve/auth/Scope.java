package dev.nibble.serve.auth;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** What a key may be good for. */
public enum Scope {
  /** Answers, tokenizer and models, on both wires; whatever has no scope of its own. */
  GENERATE,
  /** {@code nibble.offload.v1}: computing answers for a neighbour. */
  OFFLOAD,
  /** {@code /q/metrics}. */
  METRICS;

  /** All words, for messages. */
  public static final String WORDS = Arrays.stream(values()).map(Scope::word).collect(Collectors.joining(", "));

  /** The scope as key files and messages call it. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The scope of that word. */
  public static Optional<Scope> of(String word) {
    return Arrays.stream(values()).filter(scope -> scope.word().equals(word)).findFirst();
  }
}
