package dev.nibble.engine;

import java.util.Map;
import java.util.TreeMap;

/**
 * Chooses an answer's tokens from logits, by the steps and in the order of {@link SamplingParameters}. One per request; not
 * thread-safe. All memory is allocated at construction.
 *
 * <p>The same logits, parameters and position give the same token everywhere: probabilities are doubles from
 * {@link StrictMath#exp} (bit-exact by definition), sums have a fixed order (by id over all tokens, otherwise from the most likely
 * down), equal logits rank by id, and the draw is {@link CounterRandom}'s for the token's position. Tokens are ranked by pulling
 * them from a heap one by one, so a choice costs one pass over the vocabulary and a walk down the heap for each rank it looks at.
 */
public final class Sampler {
  private final SamplingParameters parameters;
  private final int vocabularySize;
  private final CounterRandom random;
  private final boolean adjusts;
  private final int[] biasIds;
  private final float[] biases;

  // Penalties look only at tokens that occurred: lists of distinct ids, and by id whether and how often they occurred.
  private final boolean penalises;
  private final boolean[] occurred; // [vocabulary], in prompt or answer
  private final int[] occurredIds; // first occurredCount
  private int occurredCount;
  private final int[] answerOccurrences; // [vocabulary]
  private final int[] answerIds; // first answerIdCount
  private int answerIdCount;

  private final float[] adjusted; // [vocabulary], logits after bias and penalties
  private final double[] weights; // [vocabulary], exp((logit - largest) / temperature)
  private final int[] ranking; // [vocabulary]: a heap of candidates, then those pulled from it, most likely last
  private float[] values; // adjusted, or the caller's logits where nothing adjusts them
  private int candidates;
  private int heapSize;

  /**
   * @param vocabularySize how many of the logits to choose from
   * @param promptIds the prompt, which the repetition penalty looks at; ids below the vocabulary's size
   * @throws EngineException INVALID_REQUEST for a bias on an id outside the vocabulary
   */
  public Sampler(int vocabularySize, SamplingParameters parameters, int[] promptIds) {
    this.vocabularySize = vocabularySize;
    this.parameters = parameters;
    random = new CounterRandom(parameters.seed());
    requireBiasesInside(vocabularySize, parameters.logitBias());
    biasIds = new int[parameters.logitBias().size()];
    biases = new float[biasIds.length];
    int next = 0;
    for (Map.Entry<Integer, Float> entry : new TreeMap<>(parameters.logitBias()).entrySet()) {
      biasIds[next] = entry.getKey();
      biases[next++] = entry.getValue();
    }
    penalises = parameters.repetitionPenalty() != 1 || parameters.presencePenalty() != 0 || parameters.frequencyPenalty() != 0;
    occurred = new boolean[penalises ? vocabularySize : 0];
    occurredIds = new int[occurred.length];
    answerOccurrences = new int[occurred.length];
    answerIds = new int[occurred.length];
    if (penalises) {
      for (int id : promptIds) {
        markOccurred(id);
      }
    }
    adjusts = penalises || biasIds.length > 0;
    adjusted = new float[adjusts ? vocabularySize : 0];
    boolean draws = parameters.temperature() > 0;
    weights = new double[draws ? vocabularySize : 0];
    ranking = new int[draws ? vocabularySize : 0];
  }

  /** @throws EngineException INVALID_REQUEST for a bias on an id outside the vocabulary */
  static void requireBiasesInside(int vocabularySize, Map<Integer, Float> logitBias) {
    for (int id : logitBias.keySet()) {
      if (id >= vocabularySize) {
        throw EngineException.invalid("logit_bias[" + id + "]", "logit_bias names token " + id + ", but the vocabulary has " + vocabularySize + " ids");
      }
    }
  }

  /**
   * The next token.
   *
   * @param logits [vocabulary or more]; not changed
   * @param position the token's position in the sequence, prompt included: the random generator's counter
   * @throws EngineException INTERNAL for logits that are NaN or positive infinity, or leave no token possible
   */
  public int choose(float[] logits, long position) {
    requireUsable(logits);
    values = adjusts ? adjust(logits) : logits;
    int best = largest();
    if (parameters.temperature() == 0) {
      return best;
    }
    return draw(values[best], random.nextUniform(position));
  }

  /** Tells that a token became part of the answer, for penalties. */
  public void accept(int id) {
    if (penalises) {
      markOccurred(id);
      if (answerOccurrences[id]++ == 0) {
        answerIds[answerIdCount++] = id;
      }
    }
  }

  private void markOccurred(int id) {
    // A model may pad its vocabulary beyond the tokenizer's: such ids are never chosen, so need no penalty.
    if (id < vocabularySize && !occurred[id]) {
      occurred[id] = true;
      occurredIds[occurredCount++] = id;
    }
  }

  private void requireUsable(float[] logits) {
    for (int id = 0; id < vocabularySize; id++) {
      // The negation is true for NaN as well.
      if (!(logits[id] < Float.POSITIVE_INFINITY)) {
        throw internal("The model computed " + logits[id] + " as logit of token " + id + ".");
      }
    }
  }

  private float[] adjust(float[] logits) {
    System.arraycopy(logits, 0, adjusted, 0, vocabularySize);
    for (int i = 0; i < biasIds.length; i++) {
      adjusted[biasIds[i]] += biases[i];
    }
    float repetition = parameters.repetitionPenalty();
    for (int i = 0; i < occurredCount; i++) {
      int id = occurredIds[i];
      float logit = adjusted[id];
      // A penalty near 0 must not turn a finite logit into infinity, which has no softmax.
      adjusted[id] = logit > 0 ? Math.min(logit / repetition, Float.MAX_VALUE) : logit * repetition;
    }
    for (int i = 0; i < answerIdCount; i++) {
      int id = answerIds[i];
      adjusted[id] -= parameters.presencePenalty() + parameters.frequencyPenalty() * answerOccurrences[id];
    }
    return adjusted;
  }

  private int largest() {
    int best = 0;
    for (int id = 1; id < vocabularySize; id++) {
      if (values[id] > values[best]) {
        best = id;
      }
    }
    if (values[best] == Float.NEGATIVE_INFINITY) {
      throw internal("The model left no token possible: all logits are negative infinity.");
    }
    return best;
  }

  private int draw(float best, double uniform) {
    buildHeap();
    boolean limited = parameters.topK() > 0 && parameters.topK() < candidates;
    int limit = limited ? parameters.topK() : candidates;
    double total = 0;
    if (limited) {
      for (int rank = 0; rank < limit; rank++) {
        total += weigh(ranked(rank), best);
      }
    } else {
      for (int id = 0; id < vocabularySize; id++) {
        total += weigh(id, best);
      }
    }

    // Top-p and min-p both keep a prefix of the ranking, so the shorter prefix is what one after the other leaves.
    int kept = limit;
    double keptWeight = total;
    boolean nucleus = parameters.topP() < 1;
    if (nucleus || parameters.minP() > 0) {
      double enough = nucleus ? parameters.topP() * total : Double.POSITIVE_INFINITY;
      kept = 0;
      keptWeight = 0;
      // The most likely token weighs exp(0) = 1, so min-p compares weights as they are, and never drops it.
      while (kept < limit && (kept == 0 || keptWeight < enough)) {
        double weight = weights[ranked(kept)];
        if (weight < parameters.minP()) {
          break;
        }
        keptWeight += weight;
        kept++;
      }
    }

    double target = uniform * keptWeight;
    double sum = 0;
    int chosen = ranked(0);
    for (int rank = 0; rank < kept; rank++) {
      int id = ranked(rank);
      if (weights[id] == 0) {
        // Only nothing follows; rounding of the sums brought us here.
        break;
      }
      chosen = id;
      sum += weights[id];
      if (target < sum) {
        break;
      }
    }
    return chosen;
  }

  private double weigh(int id, float best) {
    double weight = StrictMath.exp(((double) values[id] - best) / parameters.temperature());
    weights[id] = weight;
    return weight;
  }

  /** The token of a rank, 0 the most likely; ranks are asked for in order, or again. */
  private int ranked(int rank) {
    while (candidates - heapSize <= rank) {
      int top = ranking[0];
      heapSize--;
      ranking[0] = ranking[heapSize];
      ranking[heapSize] = top;
      siftDown(0);
    }
    return ranking[candidates - 1 - rank];
  }

  private void buildHeap() {
    candidates = 0;
    for (int id = 0; id < vocabularySize; id++) {
      if (values[id] > Float.NEGATIVE_INFINITY) {
        ranking[candidates++] = id;
      }
    }
    heapSize = candidates;
    for (int parent = heapSize / 2 - 1; parent >= 0; parent--) {
      siftDown(parent);
    }
  }

  private void siftDown(int start) {
    int moved = start < heapSize ? ranking[start] : 0;
    int parent = start;
    int child = 2 * parent + 1;
    while (child < heapSize) {
      if (child + 1 < heapSize && before(ranking[child + 1], ranking[child])) {
        child++;
      }
      if (!before(ranking[child], moved)) {
        break;
      }
      ranking[parent] = ranking[child];
      parent = child;
      child = 2 * parent + 1;
    }
    if (parent < heapSize) {
      ranking[parent] = moved;
    }
  }

  private boolean before(int id, int other) {
    float value = values[id];
    float otherValue = values[other];
    return value > otherValue || value == otherValue && id < other;
  }

  private static EngineException internal(String message) {
    return new EngineException(EngineError.INTERNAL, message, Map.of());
  }
}
