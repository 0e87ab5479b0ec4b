package dev.nibble.tokenizer;

/** Turning text into ids ended before its end because its {@link EncodingBudget} was used up. */
public final class EncodingStoppedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Which bound of the budget was reached. */
  public enum Cause {
    /** There are more ids than are of use to the caller. */
    TOO_MANY_TOKENS,
    /** The deadline passed. */
    TIMED_OUT,
    /** Nobody waits for the result any more. */
    CANCELLED
  }

  private final Cause reason;

  EncodingStoppedException(Cause reason) {
    // No stack trace: it says nothing about a bound, and hopeless requests may come by the thousand.
    super("encoding stopped: " + reason, null, false, false);
    this.reason = reason;
  }

  /** Which bound was reached. */
  public Cause reason() {
    return reason;
  }
}
