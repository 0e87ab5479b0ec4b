package dev.nibble.engine;

/**
 * Hears what requests go through, for metrics. Called from the engine's thread, and from threads that submit or cancel
 * ({@link #queued} even inside the engine's lock): implementations are thread-safe, quick and never block.
 */
public interface EngineObserver {
  /** Hears nothing. */
  EngineObserver NONE = new EngineObserver() {};

  /** How an accepted request ended. */
  enum Outcome {
    /** The model's end token or a stop string. */
    STOP,
    /** {@code maxTokens} or the context was used up. */
    LENGTH,
    /** Cancelled, waiting or running. */
    CANCELLED,
    /** The deadline passed, waiting or running. */
    DEADLINE_EXCEEDED,
    /** A defect of ours, the listener's included. */
    FAILED;

    /** How an answer ended that is finished. */
    public static Outcome of(FinishReason reason) {
      return switch (reason) {
        case STOP -> STOP;
        case LENGTH -> LENGTH;
      };
    }

    /** How a request ended by an error. */
    public static Outcome of(EngineError error) {
      return switch (error) {
        case CANCELLED -> CANCELLED;
        case DEADLINE_EXCEEDED -> DEADLINE_EXCEEDED;
        case INVALID_REQUEST, MODEL_NOT_FOUND, CHAT_UNSUPPORTED, CONTEXT_LENGTH_EXCEEDED, KV_MEMORY_EXCEEDED, QUEUE_FULL, MODEL_LOADING, SHUTTING_DOWN,
            ACCELERATOR_UNAVAILABLE, INTERNAL -> FAILED;
      };
    }
  }

  /** A request was not accepted, for this reason; nothing else is heard of it. */
  default void refused(EngineError reason) {}

  /** A request was accepted and waits for its turn. */
  default void queued() {}

  /** A request left the queue after waiting this long. Requests that end while waiting never start. */
  default void started(double queueSeconds) {}

  /** A request's first token was chosen, this long after it was submitted. */
  default void firstToken(double seconds) {}

  /** A further token was chosen, this long after the one before it. */
  default void token(double seconds) {}

  /**
   * An accepted request ended; its listener is told next.
   *
   * @param result counts and times so far, also where the answer failed: then the text is empty and the reason
   *     {@link FinishReason#LENGTH} (cut short), and {@code outcome} says why. Queue, prefill and decode add up to the duration
   */
  default void finished(Outcome outcome, GenerationResult result) {}
}
