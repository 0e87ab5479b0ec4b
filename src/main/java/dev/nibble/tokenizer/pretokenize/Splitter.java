package dev.nibble.tokenizer.pretokenize;

import java.util.Arrays;
import java.util.List;

/**
 * Splits text by patterns, one after the other: what a pattern matches is a piece, and so is what lies between; each pattern splits the pieces of the one
 * before. Immutable.
 */
public final class Splitter {
  private final Automaton[] steps;

  /** @throws IllegalArgumentException for a pattern that can't be used */
  Splitter(List<String> patterns) {
    steps = patterns.stream().map(Automaton::new).toArray(Automaton[]::new);
  }

  /** The words of a text's characters {@code from} to {@code to}. */
  public Words words(String text, int from, int to) {
    return new Words(text, from, to);
  }

  /** A walk over the words of a text, in time that grows with its length only. */
  public final class Words {
    private final String text;
    private final int to;
    private final int[] limits = new int[steps.length]; // by step: where its piece at hand ends
    private final long[] found = new long[steps.length]; // by step: the match that ends the piece at hand, or is it
    private int at;

    private Words(String text, int from, int to) {
      this.text = text;
      this.to = to;
      at = from;
      Arrays.fill(limits, from);
      Arrays.fill(found, (long) from << 32 | from);
    }

    /** Where the next word ends; it begins where the last one ended. Not to be asked at the end of the text. */
    public int next() {
      int step = 0;
      while (limits[step] > at) {
        step++;
      }
      for (boolean fresh = false; step < steps.length; step++, fresh = true) {
        int bound = step == 0 ? to : limits[step - 1];
        if (fresh || (int) found[step] == at) {
          found[step] = steps[step].find(text, at, bound);
        }
        int start = (int) (found[step] >>> 32);
        limits[step] = start > at ? start : (int) found[step];
      }
      at = limits[steps.length - 1];
      return at;
    }
  }
}
