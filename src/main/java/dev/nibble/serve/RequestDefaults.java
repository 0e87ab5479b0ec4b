package dev.nibble.serve;

import dev.nibble.engine.Engine;
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

  private RequestDefaults() {}

  /** A seed for a request that gives none. Nothing secret hangs on it, so it need not be hard to guess. */
  public static long seed() {
    return ThreadLocalRandom.current().nextLong();
  }

  /**
   * Most tokens of an answer for a request that does not say: {@link ServeConfig#defaultMaxTokens}, or what context and memory leave if that
   * is less; 0, which the engine refuses with the right words, if it leaves nothing.
   */
  public static int maxTokens(ServeConfig config, Engine engine, int promptTokens) {
    int left = Math.max(0, engine.longestSequence() - promptTokens);
    return Math.min(config.defaultMaxTokens(), left);
  }
}
