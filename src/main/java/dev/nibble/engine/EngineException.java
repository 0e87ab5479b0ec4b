package dev.nibble.engine;

import java.util.HashMap;
import java.util.Map;

/** A request that can't be answered: which error, why in a sentence for its sender, and facts for programs. */
public final class EngineException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final EngineError error;
  private final transient Map<String, String> metadata;

  public EngineException(EngineError error, String message, Map<String, String> metadata) {
    super(message);
    this.error = error;
    this.metadata = Map.copyOf(metadata);
  }

  /** An invalid request; {@code field} names the offending field. */
  public static EngineException invalid(String field, String message) {
    return new EngineException(EngineError.INVALID_REQUEST, message, Map.of("field", field));
  }

  /**
   * A prompt, or a prompt with its answer, that is longer than the context. Client libraries know the case by the first sentence.
   *
   * @param but what there is instead
   */
  public static EngineException contextLengthExceeded(int contextLength, String but, Map<String, String> facts) {
    Map<String, String> metadata = new HashMap<>(facts);
    metadata.put("context_length", Integer.toString(contextLength));
    return new EngineException(EngineError.CONTEXT_LENGTH_EXCEEDED, "This model's maximum context length is " + contextLength + " tokens, but " + but + ".", metadata);
  }

  public EngineError error() {
    return error;
  }

  /** Facts for programs: {@code field}, {@code model}, {@code context_length}, {@code retry_after_seconds}, … */
  public Map<String, String> metadata() {
    return metadata == null ? Map.of() : metadata;
  }
}
