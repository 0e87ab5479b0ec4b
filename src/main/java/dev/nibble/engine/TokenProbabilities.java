package dev.nibble.engine;

import dev.nibble.engine.GeneratedToken.TokenLogProbability;
import dev.nibble.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Log-probabilities of tokens by the model's own logits, before sampling's changes: x - ln Σ exp, in doubles, summed by id, with
 * {@link StrictMath} so that every machine reports the same. One per request; not thread-safe.
 */
final class TokenProbabilities {
  private final int vocabularySize;
  private final Tokenizer tokenizer;
  private final int[] best; // the most likely ids, best first
  private float[] logits;
  private double logSum;

  /** Measures the first {@code vocabularySize} logits, and finds the {@code alternatives} most likely tokens. */
  TokenProbabilities(int vocabularySize, int alternatives, Tokenizer tokenizer) {
    this.vocabularySize = vocabularySize;
    this.tokenizer = tokenizer;
    best = new int[Math.min(alternatives, vocabularySize)];
  }

  /** Takes up logits, [vocabulary or more], without NaN; they must stay as they are until the answers are read. */
  void measure(float[] logits) {
    this.logits = logits;
    float largest = Float.NEGATIVE_INFINITY;
    int found = 0;
    for (int id = 0; id < vocabularySize; id++) {
      float logit = logits[id];
      largest = Math.max(largest, logit);
      if (found < best.length || found > 0 && logit > logits[best[found - 1]]) {
        int place = found < best.length ? found++ : found - 1;
        // Strictly greater: among equals the lower id, seen first, stays ahead.
        while (place > 0 && logit > logits[best[place - 1]]) {
          best[place] = best[place - 1];
          place--;
        }
        best[place] = id;
      }
    }
    double sum = 0;
    for (int id = 0; id < vocabularySize; id++) {
      sum += StrictMath.exp((double) logits[id] - largest);
    }
    logSum = largest + StrictMath.log(sum);
  }

  float of(int id) {
    return (float) (logits[id] - logSum);
  }

  /** The most likely tokens, best first, equals by id. Control tokens go by their names, so that they can be told apart. */
  List<TokenLogProbability> alternatives() {
    if (best.length == 0) {
      return List.of();
    }
    List<TokenLogProbability> alternatives = new ArrayList<>(best.length);
    for (int id : best) {
      alternatives.add(new TokenLogProbability(id, new String(tokenizer.bytes(id, true), StandardCharsets.UTF_8), of(id)));
    }
    return alternatives;
  }
}
