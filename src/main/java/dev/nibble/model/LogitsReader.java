package dev.nibble.model;

/** Told the logits that a forward pass computed, in the order of the batch. */
@FunctionalInterface
public interface LogitsReader {
  /**
   * Logits after a token.
   *
   * @param slice piece of the batch
   * @param token of the piece
   * @param logits [vocabulary] from {@code at} on; only until this returns
   */
  void read(int slice, int token, float[] logits, int at);
}
