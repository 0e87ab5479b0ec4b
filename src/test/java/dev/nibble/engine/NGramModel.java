package dev.nibble.engine;

import dev.nibble.model.LanguageModel;
import java.util.Arrays;
import java.util.List;

/**
 * A true, tiny language model over {@link ByteTokenizer}'s ids: how often each byte followed the two before it in a text, backed
 * off to the one before it, and smoothed. It computes like a big one: each token costs work, logits depend on the tokens held.
 */
class NGramModel implements LanguageModel {
  static final List<String> TEXT =
      List.of(
          "Once upon a time there was a little girl named Lily. She loved to play outside in the park.",
          "One day, Lily saw a big red ball in the park. She wanted to play with the ball, but it was high up in a tree.",
          "The café's crème brûlée cost 3 € and the naïve señor paid; “déjà vu!” said the bird. 😀 🎈",
          "Lily and the bird were best friends. They played all day and were very happy.",
          "The sensor in the kitchen said that it was 21 °C, and the fan went on.");

  private static final int VOCABULARY = ByteTokenizer.END + 1;

  private final int contextLength;
  private final float[][] pairs = new float[VOCABULARY][VOCABULARY]; // [last][next]
  private final float[][] triples = new float[VOCABULARY * VOCABULARY][]; // [second last, last][next]; null where never seen

  NGramModel(int contextLength) {
    this.contextLength = contextLength;
    ByteTokenizer tokenizer = new ByteTokenizer();
    for (String line : TEXT) {
      int[] ids = Arrays.copyOf(tokenizer.encode(line, false), tokenizer.encode(line, false).length + 1);
      ids[ids.length - 1] = ByteTokenizer.END;
      for (int i = 1; i < ids.length; i++) {
        pairs[ids[i - 1]][ids[i]]++;
        if (i > 1) {
          int context = ids[i - 2] * VOCABULARY + ids[i - 1];
          if (triples[context] == null) {
            triples[context] = new float[VOCABULARY];
          }
          triples[context][ids[i]]++;
        }
      }
    }
  }

  @Override
  public int vocabularySize() {
    return VOCABULARY;
  }

  @Override
  public int contextLength() {
    return contextLength;
  }

  @Override
  public Sequence newSequence(int capacity) {
    if (capacity < 1 || capacity > contextLength) {
      throw new IllegalArgumentException("capacity " + capacity);
    }
    return new NGramSequence(capacity);
  }

  /** Logits after these tokens: the definition that answers are checked against. */
  float[] logitsAfter(int[] ids) {
    float[] logits = new float[VOCABULARY];
    try (Sequence sequence = newSequence(ids.length)) {
      sequence.append(ids, 0, ids.length, logits);
    }
    return logits;
  }

  private final class NGramSequence implements Sequence {
    private final int capacity;
    private int length;
    private int secondLast = ByteTokenizer.END;
    private int last = ByteTokenizer.END;

    NGramSequence(int capacity) {
      this.capacity = capacity;
    }

    @Override
    public int length() {
      return length;
    }

    @Override
    public int capacity() {
      return capacity;
    }

    @Override
    public void append(int[] ids, int from, int count, float[] logits) {
      if (length + count > capacity) {
        throw new IllegalArgumentException(length + " + " + count + " tokens in a sequence of " + capacity);
      }
      for (int i = from; i < from + count; i++) {
        secondLast = last;
        last = ids[i];
      }
      length += count;
      if (logits != null) {
        float[] pair = pairs[last];
        float[] triple = triples[secondLast * VOCABULARY + last];
        for (int next = 0; next < VOCABULARY; next++) {
          float weight = 1e-4f + 0.3f * pair[next] + (triple == null ? 0 : 3 * triple[next]);
          logits[next] = (float) StrictMath.log(weight);
        }
      }
    }

    @Override
    public void close() {}
  }
}
