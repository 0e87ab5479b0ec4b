package dev.nibble.model;

import java.util.Arrays;

/** What a forward pass computes: pieces of sequences, at most one of each. Made once and filled again for each pass; not thread-safe. */
public final class Batch {
  /** Of which tokens of a piece logits are wanted. */
  public enum Outputs {
    NONE,
    LAST,
    ALL
  }

  private LanguageModel.Sequence[] sequences = new LanguageModel.Sequence[1];
  private int[][] ids = new int[1][];
  private int[] from = new int[1];
  private int[] counts = new int[1];
  private Outputs[] outputs = new Outputs[1];
  private int size;
  private int tokens;

  /** Empties it. */
  public Batch clear() {
    Arrays.fill(sequences, 0, size, null);
    Arrays.fill(ids, 0, size, null);
    size = 0;
    tokens = 0;
    return this;
  }

  /**
   * Adds the next tokens of a sequence: {@code count} of {@code ids} from {@code from} on, which are read when the pass begins.
   *
   * @throws IllegalArgumentException for a count below 1, ids that are not there, or a sequence that is in the batch already
   */
  public Batch add(LanguageModel.Sequence sequence, int[] ids, int from, int count, Outputs outputs) {
    if (count < 1 || from < 0 || count > ids.length - from) {
      throw new IllegalArgumentException(count + " tokens from place " + from + " of " + ids.length + " are not there");
    }
    for (int i = 0; i < size; i++) {
      if (sequences[i] == sequence) {
        throw new IllegalArgumentException("the sequence is in the batch already");
      }
    }
    if (size == sequences.length) {
      sequences = Arrays.copyOf(sequences, 2 * size);
      this.ids = Arrays.copyOf(this.ids, 2 * size);
      this.from = Arrays.copyOf(this.from, 2 * size);
      counts = Arrays.copyOf(counts, 2 * size);
      this.outputs = Arrays.copyOf(this.outputs, 2 * size);
    }
    sequences[size] = sequence;
    this.ids[size] = ids;
    this.from[size] = from;
    counts[size] = count;
    this.outputs[size] = outputs;
    size++;
    tokens += count;
    return this;
  }

  /** Pieces. */
  public int size() {
    return size;
  }

  /** Tokens of all pieces. */
  public int tokens() {
    return tokens;
  }

  LanguageModel.Sequence sequence(int slice) {
    return sequences[slice];
  }

  int count(int slice) {
    return counts[slice];
  }

  int id(int slice, int token) {
    return ids[slice][from[slice] + token];
  }

  Outputs outputs(int slice) {
    return outputs[slice];
  }
}
