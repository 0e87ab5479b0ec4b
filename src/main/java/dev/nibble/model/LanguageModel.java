package dev.nibble.model;

import java.util.function.BooleanSupplier;

/** A loaded decoder: weights and everything that computes with them. */
public interface LanguageModel {
  int vocabularySize();

  /** Longest sequence, in tokens. */
  int contextLength();

  /** Most tokens of one sequence, at most the context length: memory for keys and values may hold fewer. */
  default int longestSequence() {
    return contextLength();
  }

  /** Fraction of the memory for keys and values that sequences hold now, 0 to 1; 0 where none is set aside. */
  default double cacheUsage() {
    return 0;
  }

  /** Begins a sequence with room for {@code capacity} tokens (at most {@link #longestSequence}). */
  Sequence newSequence(int capacity);

  /** A sequence's KV cache and position. Not thread-safe; closing gives the pages back. */
  interface Sequence extends AutoCloseable {
    /** Tokens held so far. */
    int length();

    int capacity();

    /**
     * Computes {@code count} tokens, of {@code ids} from {@code from} on, in one forward pass and adds them to the cache. Bit-identical
     * whether tokens come alone or together.
     *
     * @param logits receives the logits after the last of them, [vocabulary]; null where they are not needed
     * @throws IllegalArgumentException for an id outside the vocabulary, or more tokens than the capacity leaves
     */
    void append(int[] ids, int from, int count, float[] logits);

    /**
     * Like {@link #append(int[], int, int, float[])}, for long passes that may become useless: {@code stopped} is asked several times on the way, at best twice a
     * layer. Once it says yes the pass ends, false is returned, and the sequence is good for nothing but closing.
     */
    default boolean append(int[] ids, int from, int count, float[] logits, BooleanSupplier stopped) {
      append(ids, from, count, logits);
      return true;
    }

    @Override
    void close();
  }
}
