package dev.nibble.engine;

import java.util.List;
import java.util.Optional;

/**
 * One answer to produce.
 *
 * @param promptIds token ids, BOS included where the model wants one; at least one
 * @param maxTokens most tokens to produce; 0 means as many as the context leaves
 * @param sampling how tokens are chosen
 * @param stop strings that end the answer; they are not part of it
 * @param logProbabilities how many alternatives to report for each token; 0 reports only the chosen one, -1 nothing
 * @param ignoreEndOfGeneration keep going after an end token, for measurements
 * @param deadlineNanos the engine's clock, {@link System#nanoTime()}, by which the answer must be finished; {@link Long#MAX_VALUE} means none
 * @param offload whether another device may compute the answer; empty leaves that to the model's setting
 * @param answerIds tokens that the answer begins with, made elsewhere: it goes on after them as if they had been chosen here. They count for
 *     {@code maxTokens}, penalties, stop strings and the random draws, and are not told again
 */
public record GenerationRequest(
    int[] promptIds,
    int maxTokens,
    SamplingParameters sampling,
    List<String> stop,
    int logProbabilities,
    boolean ignoreEndOfGeneration,
    long deadlineNanos,
    Optional<OffloadPolicy> offload,
    int[] answerIds) {

  private static final int[] NOTHING = {};

  public GenerationRequest {
    stop = List.copyOf(stop);
  }

  /** An answer from its beginning, wherever the model's setting has it computed. */
  public GenerationRequest(
      int[] promptIds, int maxTokens, SamplingParameters sampling, List<String> stop, int logProbabilities, boolean ignoreEndOfGeneration, long deadlineNanos) {
    this(promptIds, maxTokens, sampling, stop, logProbabilities, ignoreEndOfGeneration, deadlineNanos, Optional.empty(), NOTHING);
  }

  /** The same request with another word on where to compute it. */
  public GenerationRequest withOffload(Optional<OffloadPolicy> policy) {
    return new GenerationRequest(promptIds, maxTokens, sampling, stop, logProbabilities, ignoreEndOfGeneration, deadlineNanos, policy, answerIds);
  }

  /** The same request, whose answer begins with these tokens. */
  public GenerationRequest after(int[] ids) {
    return new GenerationRequest(promptIds, maxTokens, sampling, stop, logProbabilities, ignoreEndOfGeneration, deadlineNanos, offload, ids);
  }
}
