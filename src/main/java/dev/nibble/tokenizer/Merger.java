package dev.nibble.tokenizer;

import java.util.PriorityQueue;

/** Merges neighbouring symbols, most urgent pair first, leftmost first among equals, in O(n log n). */
final class Merger {
  /** What a pair of symbols becomes. */
  @FunctionalInterface
  interface Pairs {
    /** Rank (lower merges first) times 2^32 plus the merged token's id, or -1; {@code from} to {@code to} are the places both cover. */
    long merged(int left, int right, int from, int to);
  }

  private record Candidate(int rank, int left, int right, int size, int id) implements Comparable<Candidate> {
    @Override
    public int compareTo(Candidate other) {
      return rank != other.rank ? Integer.compare(rank, other.rank) : Integer.compare(left, other.left);
    }
  }

  private final Pairs pairs;
  private final int[] ids;
  private final int[] next;
  private final int[] previous;
  private final PriorityQueue<Candidate> queue = new PriorityQueue<>();

  private Merger(int[] ids, Pairs pairs) {
    this.ids = ids;
    this.pairs = pairs;
    next = new int[ids.length];
    previous = new int[ids.length];
  }

  /**
   * Merges in place.
   *
   * @param ids a symbol for each place; afterwards the symbols left, each at its first place
   * @return for each place where a symbol begins, the place after it; 0 elsewhere
   */
  static int[] merge(int[] ids, Pairs pairs) {
    Merger merger = new Merger(ids, pairs);
    merger.run();
    return merger.next;
  }

  private void run() {
    for (int i = 0; i < ids.length; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
    }
    for (int i = 0; i < ids.length; i++) {
      offer(i);
    }
    for (Candidate best = queue.poll(); best != null; best = queue.poll()) {
      int left = best.left;
      int right = best.right;
      // Stale if either symbol was merged meanwhile.
      if (next[left] != right || next[right] - left != best.size) {
        continue;
      }
      ids[left] = best.id;
      next[left] = next[right];
      next[right] = 0;
      if (next[left] < ids.length) {
        previous[next[left]] = left;
      }
      offer(left);
      if (previous[left] >= 0) {
        offer(previous[left]);
      }
    }
  }

  private void offer(int left) {
    int right = next[left];
    if (right < ids.length) {
      long merged = pairs.merged(ids[left], ids[right], left, next[right]);
      if (merged >= 0) {
        queue.add(new Candidate((int) (merged >>> 32), left, right, next[right] - left, (int) merged));
      }
    }
  }
}
