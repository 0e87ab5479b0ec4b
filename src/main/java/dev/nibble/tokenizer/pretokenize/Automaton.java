package dev.nibble.tokenizer.pretokenize;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A pattern as a table of states (Thompson 1968; Rabin and Scott 1959), which finds what a backtracking matcher would: of a choice the first that matches, of
 * a repetition the longest. A state is the ordered list of the places in the pattern that a backtracking matcher would try one after the other. Matching takes
 * one look into the table a code point and makes no objects.
 */
final class Automaton {
  private static final int MAX_STATES = 1 << 14;
  private static final int DEAD = 0;
  private static final int NONE = -1;

  /** A step of the pattern's program. */
  private sealed interface Step {}

  private record Read(int set, int next) implements Step {}

  private record Choose(int[] options) implements Step {}

  private record NotBefore(int set, int next) implements Step {}

  private record Accept() implements Step {}

  private final Alphabet alphabet;
  private final int width; // of a row: symbols, and the end of the text as the last
  private final int start;
  private final int[] table; // [state][symbol]: offset of the next state's row × 2, plus 1 if the text up to here matches

  Automaton(String text) {
    Builder builder = new Builder();
    int first = builder.add(PatternParser.parse(text), builder.add(new Accept()));
    alphabet = new Alphabet(builder.sets);
    width = alphabet.size() + 1;
    List<int[]> rows = new ArrayList<>();
    Map<List<Integer>, Integer> numbers = new HashMap<>();
    List<List<Integer>> states = new ArrayList<>();
    number(List.of(), numbers, states);
    start = number(builder.expand(List.of(first)), numbers, states) * width;
    for (int state = 0; state < states.size(); state++) {
      int[] row = new int[width];
      for (int symbol = 0; symbol < width; symbol++) {
        Set<Integer> targets = new LinkedHashSet<>();
        boolean accepted = false;
        Set<Integer> seen = new HashSet<>();
        for (int step : states.get(state)) {
          accepted = builder.walk(step, symbol, alphabet, seen, targets);
          if (accepted) {
            break;
          }
        }
        if (accepted && state * width == start) {
          throw new IllegalArgumentException("unusable pattern: it matches where nothing is: \"" + text + "\"");
        }
        row[symbol] = number(builder.expand(targets), numbers, states) * width << 1 | (accepted ? 1 : 0);
      }
      rows.add(row);
      if (states.size() > MAX_STATES) {
        throw new IllegalArgumentException("unusable pattern: it takes more than " + MAX_STATES + " states: \"" + text + "\"");
      }
    }
    table = new int[states.size() * width];
    for (int state = 0; state < rows.size(); state++) {
      System.arraycopy(rows.get(state), 0, table, state * width, width);
    }
  }

  private static int number(List<Integer> state, Map<List<Integer>, Integer> numbers, List<List<Integer>> states) {
    Integer known = numbers.putIfAbsent(state, states.size());
    if (known == null) {
      states.add(state);
      return states.size() - 1;
    }
    return known;
  }

  /** The program of a pattern. Steps are added last first: each knows the one after it. */
  private static final class Builder {
    private final List<Step> steps = new ArrayList<>();
    private final List<CharacterSet> sets = new ArrayList<>();

    int add(Step step) {
      steps.add(step);
      return steps.size() - 1;
    }

    private int set(CharacterSet set) {
      int known = sets.indexOf(set);
      if (known < 0) {
        sets.add(set);
      }
      return known < 0 ? sets.size() - 1 : known;
    }

    int add(Pattern pattern, int next) {
      return switch (pattern) {
        case Pattern.One one -> add(new Read(set(one.set()), next));
        case Pattern.NotBefore look -> add(new NotBefore(set(look.set()), next));
        case Pattern.Sequence sequence -> {
          int at = next;
          for (Pattern part : sequence.parts().reversed()) {
            at = add(part, at);
          }
          yield at;
        }
        case Pattern.Choice choice -> add(new Choose(choice.options().stream().mapToInt(option -> add(option, next)).toArray()));
        case Pattern.Repeat repeat -> {
          int at = next;
          if (repeat.most() == Pattern.UNBOUNDED) {
            int[] options = {NONE, next};
            at = add(new Choose(options));
            options[0] = add(repeat.part(), at);
          } else {
            for (int i = repeat.least(); i < repeat.most(); i++) {
              at = add(new Choose(new int[] {add(repeat.part(), at), next}));
            }
          }
          for (int i = 0; i < repeat.least(); i++) {
            at = add(repeat.part(), at);
          }
          yield at;
        }
      };
    }

    /** The steps that look at the text, in the order in which they are tried; nothing is tried after the end of the pattern. */
    List<Integer> expand(Iterable<Integer> from) {
      Set<Integer> seen = new LinkedHashSet<>();
      for (int step : from) {
        if (expand(step, seen)) {
          break;
        }
      }
      return seen.stream().filter(step -> !(steps.get(step) instanceof Choose)).toList();
    }

    private boolean expand(int at, Set<Integer> seen) {
      return seen.add(at) && switch (steps.get(at)) {
        case Choose choose -> Arrays.stream(choose.options).anyMatch(option -> expand(option, seen));
        case Read read -> false;
        case NotBefore look -> false;
        case Accept accept -> true;
      };
    }

    /** Adds the steps after reading a symbol; true once the pattern ends before it, for then what is left has less right. */
    boolean walk(int at, int symbol, Alphabet alphabet, Set<Integer> seen, Set<Integer> targets) {
      if (!seen.add(at)) {
        return false;
      }
      return switch (steps.get(at)) {
        case Choose choose -> Arrays.stream(choose.options).anyMatch(option -> walk(option, symbol, alphabet, seen, targets));
        case NotBefore look -> (symbol == alphabet.size() || !alphabet.has(look.set, symbol)) && walk(look.next, symbol, alphabet, seen, targets);
        case Accept accept -> true;
        case Read read -> {
          if (symbol < alphabet.size() && alphabet.has(read.set, symbol)) {
            targets.add(read.next);
          }
          yield false;
        }
      };
    }
  }

  /** Number of states, for tests. */
  int states() {
    return table.length / width;
  }

  /**
   * The first match within a text's characters {@code from} to {@code to}, which end the text for look-ahead: where it begins × 2^32 + where it ends; both are
   * {@code to} where nothing matches.
   */
  long find(String text, int from, int to) {
    int end = end(text, from, to);
    return end != NONE ? (long) from << 32 | end : search(text, from, to);
  }

  /** Where the match that begins at {@code from} ends, or NONE. */
  private int end(String text, int from, int to) {
    int[] moves = table;
    byte[] ascii = alphabet.ascii();
    int state = start;
    int end = NONE;
    for (int at = from; at < to;) {
      char first = text.charAt(at);
      int after = at + 1;
      int symbol;
      if (first < ascii.length) {
        symbol = ascii[first];
      } else if (Character.isHighSurrogate(first) && after < to) {
        int point = text.codePointAt(at);
        symbol = alphabet.symbol(point);
        after = at + Character.charCount(point);
      } else {
        symbol = alphabet.symbol(first);
      }
      int move = moves[state + symbol];
      if ((move & 1) != 0) {
        end = at;
      }
      int next = move >> 1;
      if (next != state) { // within a repetition the state stays: told by a branch, the next look-up need not wait for this one
        if (next == DEAD) {
          return end;
        }
        state = next;
      }
      at = after;
    }
    return (moves[state + width - 1] & 1) != 0 ? to : end;
  }

  /** {@link #find}, where matches may begin later: an attempt ends when it has come to the state of the one before, which failed. */
  private long search(String text, int from, int to) {
    int failed = DEAD; // the state that the attempt before, which failed, had at this place
    for (int at = from; at < to;) {
      int state = start;
      int behind = failed;
      int end = NONE;
      failed = DEAD;
      for (int i = at; ; ) {
        if (i == to) {
          end = (table[state + width - 1] & 1) != 0 ? to : end;
          break;
        }
        char first = text.charAt(i);
        int point = Character.isHighSurrogate(first) && i + 1 < to ? text.codePointAt(i) : first;
        int symbol = alphabet.symbol(point);
        int move = table[state + symbol];
        if ((move & 1) != 0) {
          end = i;
        }
        state = move >> 1;
        if (state == DEAD) {
          break;
        }
        if (i == at) {
          failed = state;
        }
        if (behind != DEAD) {
          behind = table[behind + symbol] >> 1;
          if (behind == state) {
            break; // from here on both see the same, and the one before found nothing
          }
        }
        i += point < Character.MIN_SUPPLEMENTARY_CODE_POINT ? 1 : 2;
      }
      if (end != NONE) {
        return (long) at << 32 | end;
      }
      at += Character.isHighSurrogate(text.charAt(at)) && at + 1 < to ? Character.charCount(text.codePointAt(at)) : 1;
    }
    return (long) to << 32 | to;
  }
}
