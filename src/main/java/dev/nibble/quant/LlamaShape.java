package dev.nibble.quant;

/**
 * Hyperparameters of a Llama: what a converted file's metadata says.
 *
 * @param embeddingLength width of the residual stream
 * @param feedForwardLength width of the feed-forward layer
 * @param blockCount transformer blocks
 * @param headCount query heads
 * @param keyValueHeadCount key and value heads
 * @param headLength width of a head
 * @param vocabularySize rows of the token embedding
 * @param contextLength longest sequence
 * @param normEpsilon added to the mean square in RMSNorm
 * @param ropeBase theta of the rotary embedding
 * @param sharedOutput whether the output head is the token embedding
 */
public record LlamaShape(
    int embeddingLength,
    int feedForwardLength,
    int blockCount,
    int headCount,
    int keyValueHeadCount,
    int headLength,
    int vocabularySize,
    int contextLength,
    float normEpsilon,
    float ropeBase,
    boolean sharedOutput) {

  // As models' loader has them.
  private static final int MAX_WIDTH = 1 << 18;
  private static final int MAX_LAYERS = 1 << 12;
  private static final int MAX_SIZE = 1 << 24;

  /**
   * Checks that the numbers go together.
   *
   * @throws UnsupportedModelException naming those that do not
   */
  LlamaShape checked() throws UnsupportedModelException {
    require(embeddingLength > 0 && feedForwardLength > 0 && blockCount > 0 && vocabularySize > 0 && contextLength > 0, "a size is not positive");
    require(embeddingLength <= MAX_WIDTH && feedForwardLength <= MAX_WIDTH && (long) headCount * headLength <= MAX_WIDTH && blockCount <= MAX_LAYERS
        && vocabularySize <= MAX_SIZE && contextLength <= MAX_SIZE, "width " + embeddingLength + ", feed-forward width " + feedForwardLength + ", "
        + headCount + " heads of " + headLength + ", " + blockCount + " layers, " + vocabularySize + " tokens or a context of " + contextLength
        + " is more than can be computed");
    require(headCount > 0 && keyValueHeadCount > 0 && headCount % keyValueHeadCount == 0,
        headCount + " heads are not a multiple of " + keyValueHeadCount + " key-value heads");
    require(headLength > 0 && headLength % 2 == 0, "head width " + headLength + " is not even");
    require(normEpsilon >= 0 && Float.isFinite(normEpsilon), "RMSNorm epsilon is " + normEpsilon);
    require(ropeBase > 0 && Float.isFinite(ropeBase), "RoPE base is " + ropeBase);
    return this;
  }

  /** Width of queries over all heads. */
  int queryLength() {
    return headCount * headLength;
  }

  /** Width of keys, or values, over all heads. */
  int keyValueLength() {
    return keyValueHeadCount * headLength;
  }

  private static void require(boolean condition, String what) throws UnsupportedModelException {
    if (!condition) {
      throw new UnsupportedModelException("unusable model configuration: " + what);
    }
  }
}
