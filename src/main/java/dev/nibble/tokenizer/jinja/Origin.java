package dev.nibble.tokenizer.jinja;

import java.util.Arrays;

/**
 * Which characters of a text are the template's own, as runs: the sorted places at which that changes, the first run being foreign. Whatever is cut out of a
 * text, put together or written in another case keeps it, so that a special token's name can be told from the same letters in a message.
 */
final class Origin {
  static final Origin FOREIGN = new Origin(new int[0]);
  static final Origin OWN = new Origin(new int[] {0});

  private final int[] changes;

  private Origin(int[] changes) {
    this.changes = changes;
  }

  static Origin of(int[] changes, int count) {
    if (count == 0) {
      return FOREIGN;
    }
    return count == 1 && changes[0] == 0 ? OWN : new Origin(Arrays.copyOf(changes, count));
  }

  /** Whether all characters are of one origin. */
  boolean isUniform() {
    return changes.length == 0 || changes.length == 1 && changes[0] == 0;
  }

  boolean isOwn(int at) {
    return (changesUpTo(at) & 1) == 1;
  }

  /** Whether all these characters are the template's own. */
  boolean isOwn(int from, int to) {
    int before = changesUpTo(from);
    return from >= to || (before & 1) == 1 && (before == changes.length || changes[before] >= to);
  }

  /** The end of the run that a character is in. */
  int runEnd(int at, int length) {
    int before = changesUpTo(at);
    return before == changes.length ? length : Math.min(length, changes[before]);
  }

  Origin slice(int from, int to) {
    if (isUniform() || from >= to) {
      return isUniform() ? this : FOREIGN;
    }
    int before = changesUpTo(from);
    int last = changesUpTo(to - 1);
    boolean own = (before & 1) == 1;
    int[] out = new int[last - before + (own ? 1 : 0)];
    for (int i = before; i < last; i++) {
      out[i - before + (own ? 1 : 0)] = changes[i] - from;
    }
    return of(out, out.length);
  }

  private int changesUpTo(int at) {
    int found = Arrays.binarySearch(changes, at);
    return found >= 0 ? found + 1 : -found - 1;
  }
}
