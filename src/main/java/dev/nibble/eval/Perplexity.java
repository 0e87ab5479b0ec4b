package dev.nibble.eval;

import dev.nibble.model.Batch;
import dev.nibble.model.Decoder;
import dev.nibble.model.LanguageModel;
import dev.nibble.model.block.Workspace;
import java.util.OptionalInt;

/**
 * Perplexity of a text: e to the mean negative log-probability of its tokens, each predicted from those before it in its window. Windows stand side by side, and of
 * each only the second half is predicted, as llama.cpp's llama-perplexity does, so that every prediction has half a window before it. Logits of many tokens are
 * computed in one pass.
 */
public final class Perplexity {
  /** Window where nothing else is said, as llama.cpp's and most published figures for it. */
  public static final int DEFAULT_WINDOW = 512;
  private static final int PASS = 256;

  private Perplexity() {}

  /**
   * What came out.
   *
   * @param predictions tokens predicted
   * @param perplexity e to the mean negative log-probability
   * @param error standard error of the perplexity, by the spread of the predictions' log-probabilities
   */
  public record Result(int predictions, double perplexity, double error) {}

  /** Told after each window. */
  @FunctionalInterface
  public interface Progress {
    void measured(int windows, int of);
  }

  /**
   * Measures.
   *
   * @param ids the text; what does not fill a window is left out
   * @param window tokens of a window, 4 or more
   * @param beginning put in place of each window's first id, where the model's prompts begin with BOS
   * @throws IllegalArgumentException for a text shorter than a window, or a window that the model does not take
   */
  public static Result of(Decoder model, int[] ids, int window, OptionalInt beginning, Progress progress) {
    if (window < 4 || window > model.longestSequence()) {
      throw new IllegalArgumentException("the window is " + window + " tokens; allowed with this model: 4 to " + model.longestSequence());
    }
    int windows = ids.length / window;
    if (windows == 0) {
      throw new IllegalArgumentException("the text has " + ids.length + " tokens, fewer than a window of " + window);
    }
    Sums sums = new Sums(model.vocabularySize());
    Workspace workspace = model.newWorkspace(PASS);
    Batch batch = new Batch();
    int[] part = new int[window];
    int first = window / 2; // the first token after which a prediction is made
    for (int w = 0; w < windows; w++) {
      System.arraycopy(ids, w * window, part, 0, window);
      if (beginning.isPresent()) {
        part[0] = beginning.getAsInt();
      }
      try (LanguageModel.Sequence sequence = model.newSequence(window)) {
        pass(model, batch, workspace, sequence, part, 0, first, Batch.Outputs.NONE, sums);
        pass(model, batch, workspace, sequence, part, first, window - 1, Batch.Outputs.ALL, sums);
      }
      progress.measured(w + 1, windows);
    }
    return sums.result();
  }

  private static void pass(
      Decoder model, Batch batch, Workspace workspace, LanguageModel.Sequence sequence, int[] ids, int from, int to, Batch.Outputs outputs, Sums sums) {
    for (int at = from; at < to; at += PASS) {
      int begin = at;
      batch.clear().add(sequence, ids, at, Math.min(PASS, to - at), outputs);
      model.forward(batch, workspace, (slice, token, logits, offset) -> sums.add(logits, offset, ids[begin + token + 1]), () -> false);
    }
  }

  /** Log-probabilities, summed in the order of the text. */
  private static final class Sums {
    private final int vocabulary;
    private int count;
    private double sum;
    private double squares;

    Sums(int vocabulary) {
      this.vocabulary = vocabulary;
    }

    void add(float[] logits, int at, int id) {
      double lost = -logProbability(logits, at, vocabulary, id);
      count++;
      sum += lost;
      squares += lost * lost;
    }

    Result result() {
      double mean = sum / count;
      double perplexity = Math.exp(mean);
      double variance = Math.max(0, squares / count - mean * mean);
      return new Result(count, perplexity, count > 1 ? perplexity * Math.sqrt(variance / (count - 1)) : 0);
    }
  }

  /** The logarithm of a token's probability by softmax. @param logits [vocabulary] from {@code at} on */
  static double logProbability(float[] logits, int at, int vocabulary, int id) {
    float largest = Float.NEGATIVE_INFINITY;
    for (int i = at; i < at + vocabulary; i++) {
      largest = Math.max(largest, logits[i]);
    }
    double sum = 0;
    for (int i = at; i < at + vocabulary; i++) {
      sum += Math.exp((double) logits[i] - largest);
    }
    return (double) logits[at + id] - largest - Math.log(sum);
  }
}
