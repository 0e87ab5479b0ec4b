package dev.nibble.tokenizer;

/** What pairs of tokens merge to. A hash table of plain longs: a hundred thousand boxed ones would take most of a start-up. */
final class MergeTable {
  private static final long SPREAD = 0x9e3779b97f4a7c15L; // Fibonacci hashing (Knuth, TAOCP 3, 6.4)

  private final long[] keys; // left × 2^32 + right + 1; 0 where empty
  private final long[] values;
  private final int shift;

  /** @param size most pairs there will be */
  MergeTable(int size) {
    int bits = 64 - Long.numberOfLeadingZeros(2L * size + 1);
    keys = new long[1 << bits];
    values = new long[1 << bits];
    shift = 64 - bits;
  }

  private int place(long key) {
    int at = (int) (key * SPREAD >>> shift);
    while (keys[at] != 0 && keys[at] != key) {
      at = at + 1 & keys.length - 1;
    }
    return at;
  }

  private static long key(int left, int right) {
    return ((long) left << 32 | right) + 1;
  }

  /** Gives a pair its value; the first one stays. */
  void putIfAbsent(int left, int right, long value) {
    long key = key(left, right);
    int at = place(key);
    if (keys[at] == 0) {
      keys[at] = key;
      values[at] = value;
    }
  }

  /** A pair's value, or -1. */
  long get(int left, int right) {
    int at = place(key(left, right));
    return keys[at] == 0 ? -1 : values[at];
  }
}
