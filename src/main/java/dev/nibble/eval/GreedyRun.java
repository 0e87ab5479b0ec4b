package dev.nibble.eval;

import dev.nibble.model.LanguageModel;
import java.util.function.Consumer;

/** The run that measuring is about: one prompt in one go, then tokens one by one, each the likeliest. */
public final class GreedyRun {
  // Ids spread over the vocabulary, the same that the comparison with other programs uses.
  private static final int FIRST_ID = 300;
  private static final int ID_STEP = 7919;
  private static final int ID_RANGE = 30000;

  private GreedyRun() {}

  /**
   * How long the two parts took.
   *
   * @param prefill of the prompt
   * @param decode of all tokens after it
   */
  public record Seconds(double prefill, double decode) {}

  /** The prompt of every measurement: id i is 300 + 7919 i mod 30000, mod the vocabulary. */
  public static int[] prompt(int tokens, int vocabulary) {
    int[] ids = new int[tokens];
    for (int i = 0; i < tokens; i++) {
      ids[i] = (int) ((FIRST_ID + (long) ID_STEP * i) % ID_RANGE % vocabulary);
    }
    return ids;
  }

  /**
   * Runs a prompt and {@code steps} tokens after it, in a sequence of its own.
   *
   * @param ids the prompt; with the steps within the model's context
   * @param observer told the logits, [vocabulary], after the prompt and after each step; the array is used again
   */
  public static Seconds run(LanguageModel model, int[] ids, int steps, Consumer<float[]> observer) {
    float[] logits = new float[model.vocabularySize()];
    int[] next = new int[1];
    try (LanguageModel.Sequence sequence = model.newSequence(ids.length + steps)) {
      long start = System.nanoTime();
      sequence.append(ids, 0, ids.length, logits);
      long afterPrompt = System.nanoTime();
      observer.accept(logits);
      for (int i = 0; i < steps; i++) {
        next[0] = likeliest(logits);
        sequence.append(next, 0, 1, logits);
        observer.accept(logits);
      }
      return new Seconds((afterPrompt - start) / 1e9, (System.nanoTime() - afterPrompt) / 1e9);
    }
  }

  /** The first of the largest. */
  private static int likeliest(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }
}
