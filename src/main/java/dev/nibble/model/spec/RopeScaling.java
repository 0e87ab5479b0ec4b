package dev.nibble.model.spec;

/** What the frequencies of a rotary embedding are divided by, so that a model takes longer sequences than it was trained with. */
public sealed interface RopeScaling {
  /** By one number (position interpolation, Chen et al. 2023); 1 for not at all. */
  record Linear(double factor) implements RopeScaling {}

  /**
   * By a number for each pair, which the model's file holds as a tensor, where it holds one: Llama 3.1's factors.
   *
   * @param factor by which all are divided besides
   */
  record Factors(double factor) implements RopeScaling {}

  /**
   * By one of two lists that the model's file holds (LongRoPE, Ding et al. 2024): the short one for a model that is run with a context of at most
   * {@code originalContext} tokens, the long one else. Which it is depends on the model's context alone, never on a request.
   *
   * @param originalContext tokens that the model was trained with first
   * @param magnitude by which sines and cosines are multiplied
   */
  record LongRope(int originalContext, float magnitude) implements RopeScaling {
    /** The magnitude where a model does not say one: √(1 + ln(context / original) / ln(original)), and 1 for a context that was not made longer. */
    public static double magnitude(int context, int originalContext) {
      double factor = (double) context / originalContext;
      return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalContext));
    }
  }

  /** Not at all. */
  RopeScaling NONE = new Linear(1);
}
