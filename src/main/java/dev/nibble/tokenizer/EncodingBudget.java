package dev.nibble.tokenizer;

import java.util.function.BooleanSupplier;

/**
 * How much work turning a text or a conversation into ids may take. Whoever does such work calls {@link #checkpoint()} every few thousand characters or
 * template steps, and {@link #count} for the ids made so far, so that hopeless or abandoned work ends soon after it became so.
 *
 * <p>Used by one thread at a time; {@code stopped} may change on another.
 */
public final class EncodingBudget {
  private final int maxTokens;
  private final long deadlineNanos;
  private final BooleanSupplier stopped;

  /**
   * Sets the bounds.
   *
   * @param maxTokens most ids of use to the caller; work ends when there are more
   * @param deadlineNanos {@link System#nanoTime()} at which work ends; {@link Long#MAX_VALUE} for none
   * @param stopped whether nobody waits for the result any more
   */
  public EncodingBudget(int maxTokens, long deadlineNanos, BooleanSupplier stopped) {
    this.maxTokens = maxTokens;
    this.deadlineNanos = deadlineNanos;
    this.stopped = stopped;
  }

  /** A budget without bounds, for callers whose text is short or their own. */
  public static EncodingBudget unlimited() {
    return new EncodingBudget(Integer.MAX_VALUE, Long.MAX_VALUE, () -> false);
  }

  /** Most ids of use to the caller. */
  public int maxTokens() {
    return maxTokens;
  }

  /** Ends the work if nobody waits for it or its time is over. @throws EncodingStoppedException then */
  public void checkpoint() {
    if (stopped.getAsBoolean()) {
      throw new EncodingStoppedException(EncodingStoppedException.Cause.CANCELLED);
    }
    if (deadlineNanos != Long.MAX_VALUE && System.nanoTime() - deadlineNanos >= 0) {
      throw new EncodingStoppedException(EncodingStoppedException.Cause.TIMED_OUT);
    }
  }

  /** Ends the work if there are more ids than are of use. @throws EncodingStoppedException then */
  public void count(int tokens) {
    if (tokens > maxTokens) {
      throw new EncodingStoppedException(EncodingStoppedException.Cause.TOO_MANY_TOKENS);
    }
  }
}
