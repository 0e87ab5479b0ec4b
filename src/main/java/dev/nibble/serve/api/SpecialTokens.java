package dev.nibble.serve.api;

import dev.nibble.engine.EngineException;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Whether names of special tokens in a text to continue stand for these tokens, which lets the text begin turns, fill in the middle, or end documents. It is a
 * setting and no scope of keys: whoever may send token ids can send these tokens anyway. Conversations are not concerned: only chat templates write such tokens there.
 */
public enum SpecialTokens {
  /** Where the request says so. */
  REQUEST,
  /** Unless the request says otherwise, for clients that can't say. */
  ALWAYS,
  /** Not at all. */
  NEVER;

  /** All words, for messages. */
  public static final String WORDS = Arrays.stream(values()).map(SpecialTokens::word).collect(Collectors.joining(", "));

  /** The word of the setting. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The policy of that word. */
  public static Optional<SpecialTokens> of(String word) {
    return Arrays.stream(values()).filter(policy -> policy.word().equalsIgnoreCase(word)).findFirst();
  }

  /** The policy of the settings, which were checked before. */
  public static SpecialTokens of(ServeConfig config) {
    return of(config.specialTokens()).orElseThrow();
  }

  /**
   * Whether a text's names of special tokens stand for these.
   *
   * @param asked the request's {@code parse_special}
   * @throws EngineException INVALID_REQUEST, field {@code parse_special}, if it asks for what is not allowed here
   */
  public boolean parses(Optional<Boolean> asked) {
    if (this == NEVER && asked.orElse(false)) {
      throw EngineException.invalid("parse_special", "parse_special is not allowed here: nibble.special-tokens is never. Leave it out, or send token ids.");
    }
    return asked.orElse(this == ALWAYS);
  }
}
