package dev.nibble.engine;

/**
 * Limits of an engine.
 *
 * @param queueCapacity requests that may wait while another is computed; 1 or more
 * @param prefillChunk most prompt tokens computed in one forward pass; cancellation and deadlines are looked at between them
 */
public record EngineOptions(int queueCapacity, int prefillChunk) {
  /** 64 requests may wait; prompts are computed 256 tokens at a time. */
  public static final EngineOptions DEFAULT = new EngineOptions(64, 256);

  public EngineOptions {
    if (queueCapacity < 1) {
      throw new IllegalArgumentException("queue capacity is " + queueCapacity + "; allowed: 1 or more");
    }
    if (prefillChunk < 1) {
      throw new IllegalArgumentException("prefill chunk is " + prefillChunk + "; allowed: 1 or more");
    }
  }

  /** The default limits with another waiting line. */
  public EngineOptions(int queueCapacity) {
    this(queueCapacity, 256);
  }
}
