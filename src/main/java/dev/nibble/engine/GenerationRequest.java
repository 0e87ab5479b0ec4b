package dev.nibble.engine;

import java.util.List;

/**
 * One answer to produce.
 *
 * @param promptIds token ids, BOS included where the model wants one; at least one
 * @param maxTokens most tokens to produce; 0 means as many as the context leaves
 * @param sampling how tokens are chosen
 * @param stop strings that end the answer; they are not part of it
 * @param logProbabilities how many alternatives to report for each token; 0 reports only the chosen one, -1 nothing
 * @param ignoreEndOfGeneration keep going after an end token, for measurements
 * @param deadlineNanos {@link System#nanoTime()} by which the answer must be finished; {@link Long#MAX_VALUE} means none
 */
public record GenerationRequest(
    int[] promptIds,
    int maxTokens,
    SamplingParameters sampling,
    List<String> stop,
    int logProbabilities,
    boolean ignoreEndOfGeneration,
    long deadlineNanos) {

  public GenerationRequest {
    stop = List.copyOf(stop);
  }
}
