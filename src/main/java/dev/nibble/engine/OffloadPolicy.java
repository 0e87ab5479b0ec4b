package dev.nibble.engine;

import java.util.Locale;
import java.util.Optional;

/** Whether an answer may be computed on another device. */
public enum OffloadPolicy {
  /** Here, always. */
  OFF,
  /** Where it is expected to be finished sooner. */
  AUTO,
  /** On an accelerator whenever one can take it; here otherwise. */
  PREFER,
  /** On an accelerator; refused where none can take it. */
  REQUIRE;

  /** The words for policies, for messages. */
  public static final String WORDS = "off, auto, prefer, require";

  /** The policy of a word, in any case; empty for another word. */
  public static Optional<OffloadPolicy> of(String word) {
    return switch (word.strip().toLowerCase(Locale.ROOT)) {
      case "off" -> Optional.of(OFF);
      case "auto" -> Optional.of(AUTO);
      case "prefer" -> Optional.of(PREFER);
      case "require" -> Optional.of(REQUIRE);
      default -> Optional.empty();
    };
  }
}
