package dev.nibble.model;

/**
 * Hyperparameters of a Llama (Touvron et al. 2023).
 *
 * @param width of the residual stream
 * @param hidden width of the feed-forward layer
 * @param layers transformer blocks
 * @param heads query heads
 * @param keyValueHeads key and value heads, a divisor of {@code heads} (GQA, Ainslie et al. 2023)
 * @param headWidth channels of a head, even; heads × headWidth may differ from width
 * @param vocabulary number of token ids
 * @param context longest sequence, in tokens
 * @param normEpsilon added to the mean square in RMSNorm
 * @param ropeBase theta of the rotary embedding (Su et al. 2021)
 * @param ropePairs which channels are rotated together
 * @param window tokens that a token sees, itself included (sliding window attention, Beltagy et al. 2020); 0 for all before it
 */
public record LlamaConfig(
    int width, int hidden, int layers, int heads, int keyValueHeads, int headWidth, int vocabulary, int context, float normEpsilon,
    float ropeBase, RopePairs ropePairs, int window) {

  /** Which channels of a head the rotary embedding takes as a pair. */
  public enum RopePairs {
    /** 2i and 2i + 1, as llama2.c and GGUF's llama. */
    ADJACENT,
    /** i and i + headWidth / 2, as Hugging Face. */
    HALVES
  }

  public LlamaConfig {
    if (heads % keyValueHeads != 0 || headWidth % 2 != 0) {
      throw new IllegalArgumentException(heads + " heads of " + headWidth + " channels do not go with " + keyValueHeads + " key-value heads");
    }
  }

  /** Without a window. */
  public LlamaConfig(
      int width, int hidden, int layers, int heads, int keyValueHeads, int headWidth, int vocabulary, int context, float normEpsilon,
      float ropeBase, RopePairs ropePairs) {
    this(width, hidden, layers, heads, keyValueHeads, headWidth, vocabulary, context, normEpsilon, ropeBase, ropePairs, 0);
  }

  int queryWidth() {
    return heads * headWidth;
  }

  int keyValueWidth() {
    return keyValueHeads * headWidth;
  }
}
