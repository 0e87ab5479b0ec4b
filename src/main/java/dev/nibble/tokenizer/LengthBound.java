package dev.nibble.tokenizer;

import java.util.Arrays;

/**
 * A lower bound of the number of tokens that text becomes, without merging it: each symbol counts as one part of the longest token that it occurs in. No
 * token can count for more than one that way, since none of its symbols counts for more than one part of its length.
 */
final class LengthBound {
  private static final int UNIT = 1 << 20;
  private static final int ROOM = 1 << 10;

  private final int[] longest = new int[ROOM]; // by symbol; larger ones share a place, which makes the bound lower only

  private static int place(int symbol) {
    return symbol & ROOM - 1;
  }

  /** Takes note of a token that has the symbol. @param length number of the token's symbols */
  void note(int symbol, int length) {
    longest[place(symbol)] = Math.max(longest[place(symbol)], length);
  }

  /** What a symbol counts; add them up and give the sum to {@link #tokens}. */
  int share(int symbol) {
    return UNIT / Math.max(1, longest[place(symbol)]);
  }

  /** Fewest tokens of symbols whose shares have this sum. */
  static long tokens(long shares) {
    return (shares + UNIT - 1) / UNIT;
  }

  /** Number of symbols of the longest token noted. */
  int longest() {
    return Arrays.stream(longest).max().orElse(1);
  }
}
