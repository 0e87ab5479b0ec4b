package dev.nibble.engine;

/** Why an answer ended. */
public enum FinishReason {
  /** The model's end token or a stop string. */
  STOP,
  /** {@code maxTokens} or the context was used up. */
  LENGTH
}
