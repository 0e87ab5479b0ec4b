package dev.nibble.model.kvcache;

/**
 * How a layer scores keys.
 *
 * @param scale by which products of queries and keys are multiplied
 * @param window tokens that a token sees, itself included (sliding window); 0 for all before it
 * @param softcap scores become softcap × tanh(score / softcap); 0 where they stay as they are
 */
public record Scoring(float scale, int window, float softcap) {
  /** All before it, and nothing capped. */
  public Scoring(float scale) {
    this(scale, 0, 0);
  }

  /** The first place that a token at {@code position} sees. */
  int leastSeen(int position) {
    return window == 0 ? 0 : Math.max(0, position + 1 - window);
  }
}
