package dev.nibble.tokenizer;

/** A set of pairs of characters that may hold more than was put in, in a fixed quarter of a megabyte (Bloom 1970, with one hash). */
final class PairFilter {
  private static final int BITS = 21;
  private static final long SPREAD = 0x9e3779b97f4a7c15L; // Fibonacci hashing (Knuth, TAOCP 3, 6.4)

  private final long[] words = new long[1 << BITS - 6];

  private static int place(int left, int right) {
    return (int) (((long) left << 32 | right) * SPREAD >>> 64 - BITS);
  }

  void add(int left, int right) {
    int place = place(left, right);
    words[place >> 6] |= 1L << place;
  }

  /** False only if the pair was not added. */
  boolean mayHold(int left, int right) {
    int place = place(left, right);
    return (words[place >> 6] >>> place & 1) != 0;
  }
}
