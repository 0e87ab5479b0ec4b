package dev.nibble.tokenizer;

import java.util.Arrays;

/**
 * Merges neighbouring symbols, most urgent pair first, leftmost first among equals, in O(n log n) time and some 30 bytes a place. One merger serves many
 * words, one after the other: {@link #clear}, {@link #add} for each symbol, {@link #merge}, then the symbols from place 0 by {@link #next}.
 */
final class Merger {
  /** What a pair of symbols becomes. */
  @FunctionalInterface
  interface Pairs {
    /** Rank (lower merges first) times 2^32 plus the merged token's id, or -1; {@code from} to {@code to} are the places both cover. */
    long merged(int left, int right, int from, int to);
  }

  private static final int CHECK_EVERY = 4096;

  private final EncodingBudget budget;
  private int[] ids = new int[64];
  private int[] next = new int[64];
  private int[] previous = new int[64];
  private long[] merged = new long[64]; // what the symbol at a place and the one after it become
  private int last;
  private int length;
  private long[] queue = new long[64]; // a binary heap of rank × 2^32 + left place
  private int queued;
  private int steps;

  Merger(EncodingBudget budget) {
    this.budget = budget;
  }

  void clear() {
    length = 0;
    last = -1;
  }

  /** Adds a symbol that covers some places. @throws EncodingStoppedException when the budget is used up */
  void add(int id, int places) {
    step();
    if (length + places > ids.length) {
      int size = Math.max(length + places, 2 * ids.length);
      ids = Arrays.copyOf(ids, size);
      next = Arrays.copyOf(next, size);
      previous = Arrays.copyOf(previous, size);
      merged = Arrays.copyOf(merged, size);
    }
    ids[length] = id;
    previous[length] = last;
    for (int i = length + 1; i < length + places; i++) {
      next[i] = 0;
    }
    last = length;
    length += places;
    next[last] = length;
  }

  /** Number of places; the last symbol's {@link #next}. */
  int length() {
    return length;
  }

  /** The symbol that begins at a place. */
  int id(int place) {
    return ids[place];
  }

  /** The place after the symbol that begins at a place. */
  int next(int place) {
    return next[place];
  }

  /** Merges what can be. @throws EncodingStoppedException when the budget is used up */
  void merge(Pairs pairs) {
    queued = 0;
    for (int i = 0; i < length; i = next[i]) {
      offer(i, pairs);
      step();
    }
    while (queued > 0) {
      long best = poll();
      int left = (int) best;
      // Stale if the symbol is gone, or has become part of another pair. Where the pair now there has the same rank, it was queued with the same number.
      if (next[left] == 0 || merged[left] < 0 || (merged[left] ^ best) >>> 32 != 0) {
        continue;
      }
      int right = next[left];
      ids[left] = (int) merged[left];
      next[left] = next[right];
      next[right] = 0;
      if (next[left] < length) {
        previous[next[left]] = left;
      }
      offer(left, pairs);
      if (previous[left] >= 0) {
        offer(previous[left], pairs);
      }
      step();
    }
  }

  private void step() {
    if (++steps % CHECK_EVERY == 0) {
      budget.checkpoint();
    }
  }

  private void offer(int left, Pairs pairs) {
    int right = next[left];
    merged[left] = right < length ? pairs.merged(ids[left], ids[right], left, next[right]) : -1;
    if (merged[left] >= 0) {
      push(merged[left] & ~0L << 32 | left);
    }
  }

  private void push(long entry) {
    if (queued == queue.length) {
      queue = Arrays.copyOf(queue, 2 * queued);
    }
    int at = queued++;
    while (at > 0 && queue[at - 1 >> 1] > entry) {
      queue[at] = queue[at - 1 >> 1];
      at = at - 1 >> 1;
    }
    queue[at] = entry;
  }

  private long poll() {
    long best = queue[0];
    long entry = queue[--queued];
    int at = 0;
    for (int child = 1; child < queued; child = 2 * at + 1) {
      if (child + 1 < queued && queue[child + 1] < queue[child]) {
        child++;
      }
      if (queue[child] >= entry) {
        break;
      }
      queue[at] = queue[child];
      at = child;
    }
    queue[at] = entry;
    return best;
  }
}
