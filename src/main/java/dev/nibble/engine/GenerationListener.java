package dev.nibble.engine;

/**
 * Receives an answer on the engine's thread: implementations return quickly and hand over to their own threads. After
 * {@code onFinish} or {@code onError}, exactly one of which is called, nothing more comes.
 */
public interface GenerationListener {
  /** The request left the queue and its prefill starts. */
  default void onStart() {}

  /** {@code done} of {@code total} prompt tokens are computed. */
  default void onPrefill(int done, int total) {}

  void onToken(GeneratedToken token);

  void onFinish(GenerationResult result);

  /** The answer failed or was cancelled ({@link EngineError#CANCELLED}, {@link EngineError#DEADLINE_EXCEEDED}). */
  void onError(EngineException error);
}
