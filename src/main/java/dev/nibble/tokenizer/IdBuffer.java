package dev.nibble.tokenizer;

import java.util.Arrays;

/** Ids as they come out of an encoder, held to a budget. */
final class IdBuffer {
  private static final int CHECK_EVERY = 1024;

  private final EncodingBudget budget;
  private int[] ids = new int[64];
  private int size;

  IdBuffer(EncodingBudget budget) {
    this.budget = budget;
  }

  EncodingBudget budget() {
    return budget;
  }

  void add(int id) {
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, 2 * size);
    }
    ids[size++] = id;
    budget.count(size);
    if (size % CHECK_EVERY == 0) {
      budget.checkpoint();
    }
  }

  /** Ends the work now if at least so many ids that are still to come are more than are of use. */
  void expect(long fewest) {
    budget.count((int) Math.min(Integer.MAX_VALUE, size + fewest));
  }

  boolean startsWith(int id) {
    return size > 0 && ids[0] == id;
  }

  void addFirst(int id) {
    add(id);
    System.arraycopy(ids, 0, ids, 1, size - 1);
    ids[0] = id;
  }

  int[] toArray() {
    return Arrays.copyOf(ids, size);
  }
}
