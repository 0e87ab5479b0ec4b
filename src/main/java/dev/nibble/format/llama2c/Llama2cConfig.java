package dev.nibble.format.llama2c;

/**
 * The header of a llama2.c checkpoint.
 *
 * @param dimension width of the residual stream
 * @param hiddenDimension width of the feed-forward layer
 * @param layers transformer blocks
 * @param heads query heads
 * @param keyValueHeads key and value heads, a divisor of {@code heads}
 * @param vocabularySize rows of the embedding
 * @param sequenceLength longest sequence
 * @param sharedClassifier whether the output head is the token embedding
 */
public record Llama2cConfig(
    int dimension,
    int hiddenDimension,
    int layers,
    int heads,
    int keyValueHeads,
    int vocabularySize,
    int sequenceLength,
    boolean sharedClassifier) {

  public int headDimension() {
    return dimension / heads;
  }

  /** Width of keys and values over all heads. */
  public int keyValueDimension() {
    return keyValueHeads * headDimension();
  }
}
