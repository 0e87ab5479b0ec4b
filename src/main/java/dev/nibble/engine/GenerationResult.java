package dev.nibble.engine;

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
 */
public record GenerationResult(
    String text, FinishReason reason, int promptTokens, int completionTokens, long queueNanos, long prefillNanos, long decodeNanos) {}
