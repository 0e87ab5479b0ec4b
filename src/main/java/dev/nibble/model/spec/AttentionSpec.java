package dev.nibble.model.spec;

import java.util.Optional;

/**
 * Causal attention with grouped heads (GQA, Ainslie et al. 2023).
 *
 * @param heads query heads
 * @param keyValueHeads key and value heads, a divisor of {@code heads}
 * @param headWidth channels of a head, even; heads × headWidth may differ from the model's width
 * @param position how tokens' places enter
 * @param window tokens that a token sees, itself included (sliding window attention, Beltagy et al. 2020); 0 for all before it
 * @param scale by which products of queries and keys are multiplied
 * @param softcap scores become softcap × tanh(score / softcap) (Gemma 2, 2024); 0 where they stay as they are
 * @param queryKeyNorm of each head of queries and keys before it is rotated (Henry et al. 2020); empty for none
 */
public record AttentionSpec(
    int heads, int keyValueHeads, int headWidth, Position position, int window, float scale, float softcap, Optional<Norm> queryKeyNorm) {
  public AttentionSpec {
    if (heads < 1 || keyValueHeads < 1 || heads % keyValueHeads != 0 || headWidth < 2 || headWidth % 2 != 0) {
      throw new IllegalArgumentException(heads + " heads of width " + headWidth + " do not go with " + keyValueHeads + " key-value heads");
    }
  }

  /** Channels of all query heads. */
  public int queryWidth() {
    return heads * headWidth;
  }

  /** Channels of all key heads, or of all value heads. */
  public int keyValueWidth() {
    return keyValueHeads * headWidth;
  }

  /** The same with another window. */
  public AttentionSpec withWindow(int tokens) {
    return new AttentionSpec(heads, keyValueHeads, headWidth, position, tokens, scale, softcap, queryKeyNorm);
  }

  /** The same with other positions. */
  public AttentionSpec withPosition(Position other) {
    return new AttentionSpec(heads, keyValueHeads, headWidth, other, window, scale, softcap, queryKeyNorm);
  }

  /** The same with scores scaled and capped otherwise. */
  public AttentionSpec withScores(float otherScale, float otherCap) {
    return new AttentionSpec(heads, keyValueHeads, headWidth, position, window, otherScale, otherCap, queryKeyNorm);
  }

  /** The same with heads of queries and keys normalised. */
  public AttentionSpec withQueryKeyNorm(Norm norm) {
    return new AttentionSpec(heads, keyValueHeads, headWidth, position, window, scale, softcap, Optional.of(norm));
  }
}
