package dev.nibble.engine;

import java.time.Duration;

/**
 * Limits of an engine.
 *
 * @param queueCapacity requests that may wait while another is computed; 1 or more
 * @param prefillChunk most prompt tokens computed in one forward pass
 * @param prefillPass about how long such a pass may last, by fewer tokens where the machine is slow; zero: as long as it takes
 */
public record EngineOptions(int queueCapacity, int prefillChunk, Duration prefillPass) {
  private static final int MOST_PREFILL_CHUNK = 256;
  /** Passes are given up between layers, of which models that need seconds for a pass have some twenty: half a second then. */
  private static final Duration PREFILL_PASS = Duration.ofSeconds(8);

  /** 64 requests may wait; prompts are computed 256 tokens at a time, or fewer that take 8 s. */
  public static final EngineOptions DEFAULT = new EngineOptions(64);

  public EngineOptions {
    if (queueCapacity < 1) {
      throw new IllegalArgumentException("queue capacity is " + queueCapacity + "; allowed: 1 or more");
    }
    if (prefillChunk < 1) {
      throw new IllegalArgumentException("prefill chunk is " + prefillChunk + "; allowed: 1 or more");
    }
    if (prefillPass.isNegative()) {
      throw new IllegalArgumentException("prefill pass is " + prefillPass + "; allowed: zero or more");
    }
  }

  /** The default limits with another waiting line. */
  public EngineOptions(int queueCapacity) {
    this(queueCapacity, MOST_PREFILL_CHUNK, PREFILL_PASS);
  }

  /** Passes cut by tokens alone. */
  public EngineOptions(int queueCapacity, int prefillChunk) {
    this(queueCapacity, prefillChunk, Duration.ZERO);
  }
}
