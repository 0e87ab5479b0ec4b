package dev.nibble.serve.api;

import dev.nibble.engine.Engine;
import java.util.OptionalInt;
import java.util.concurrent.ThreadLocalRandom;

/** What requests mean where they leave something out; the same on every wire. */
public final class RequestDefaults {
  public static final float TEMPERATURE = 0.7f;
  public static final int TOP_K = 0;
  public static final float TOP_P = 1;
  public static final float MIN_P = 0;
  public static final float REPETITION_PENALTY = 1;
  public static final float PRESENCE_PENALTY = 0;
  public static final float FREQUENCY_PENALTY = 0;

  /** As max_tokens: as many as context and memory leave, which is what 0 means to engines. */
  public static final int ALL_THAT_FIT = 0;

  private RequestDefaults() {}

  /** A seed for a request that gives none. Nothing secret hangs on it, so it need not be hard to guess. */
  public static long seed() {
    return ThreadLocalRandom.current().nextLong();
  }

  /**
   * Most tokens of an answer, for the engine: what the request asks for, or {@link ServeConfig#defaultMaxTokens}, but not more than context and memory leave
   * beside the prompt. 0, which the engine refuses with the right words, if they leave nothing. This is the one place where max_tokens is cut, for all wires;
   * under {@link ServeConfig#strictMaxTokens} a request's own number stays, and the engine refuses it if it is too large.
   *
   * @param asked the request's max_tokens, or {@link #ALL_THAT_FIT}; empty where it does not say
   */
  public static int maxTokens(ServeConfig config, Engine engine, int promptTokens, OptionalInt asked) {
    int left = Math.max(0, engine.longestSequence() - promptTokens);
    int wanted = asked.orElse(config.defaultMaxTokens());
    if (wanted == ALL_THAT_FIT) {
      return left;
    }
    return asked.isPresent() && config.strictMaxTokens() ? wanted : Math.min(wanted, left);
  }
}
