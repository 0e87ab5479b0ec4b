package dev.nibble.engine;

import java.util.Optional;

/**
 * A finished answer.
 *
 * @param text text released at the end, after the last token's (kept back as a possible stop string)
 * @param reason why it ended
 * @param promptTokens tokens in the prompt
 * @param completionTokens tokens produced, the end token not counted
 * @param queueNanos time waited for a turn
 * @param prefillNanos time from the turn's start to the first token's logits
 * @param decodeNanos time from there to the end
 * @param placement where it was computed, if that was a question
 */
public record GenerationResult(
    String text, FinishReason reason, int promptTokens, int completionTokens, long queueNanos, long prefillNanos, long decodeNanos,
    Optional<Placement> placement) {

  /** An answer computed here, where that was no question. */
  public GenerationResult(String text, FinishReason reason, int promptTokens, int completionTokens, long queueNanos, long prefillNanos, long decodeNanos) {
    this(text, reason, promptTokens, completionTokens, queueNanos, prefillNanos, decodeNanos, Optional.empty());
  }

  /** The same with another text at its end. */
  public GenerationResult withText(String other) {
    return new GenerationResult(other, reason, promptTokens, completionTokens, queueNanos, prefillNanos, decodeNanos, placement);
  }

  /** The same, placed. */
  public GenerationResult placed(Placement where) {
    return new GenerationResult(text, reason, promptTokens, completionTokens, queueNanos, prefillNanos, decodeNanos, Optional.of(where));
  }
}
