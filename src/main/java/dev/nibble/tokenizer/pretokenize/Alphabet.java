package dev.nibble.tokenizer.pretokenize;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * Code points as a pattern sees them: those that are in the same ones of its sets are one symbol. Beyond ASCII the symbol follows from the general category,
 * and from the place among the bounds of the ranges that the sets name.
 */
final class Alphabet {
  private static final int ASCII = 128;
  private static final int CATEGORIES = 32;

  private final byte[] ascii = new byte[ASCII];
  private final int[] bounds; // first code points of segments, ascending from ASCII
  private final byte[] segments; // symbol of a category in a segment: [bounds][CATEGORIES]
  private final List<BitSet> members = new ArrayList<>(); // by symbol: numbers of the sets that have it

  Alphabet(List<CharacterSet> sets) {
    Map<BitSet, Integer> symbols = new HashMap<>();
    for (int point = 0; point < ASCII; point++) {
      ascii[point] = symbol(point, Character.getType(point), sets, symbols);
    }
    TreeSet<Integer> starts = new TreeSet<>(List.of(ASCII));
    for (CharacterSet set : sets) {
      for (CharacterSet.Range range : set.ranges()) {
        starts.add(Math.max(ASCII, range.first()));
        starts.add(Math.max(ASCII, range.last() + 1));
      }
    }
    bounds = starts.stream().mapToInt(Integer::intValue).toArray();
    segments = new byte[bounds.length * CATEGORIES];
    for (int i = 0; i < bounds.length; i++) {
      for (int category = 0; category < CATEGORIES; category++) {
        segments[i * CATEGORIES + category] = symbol(bounds[i], category, sets, symbols);
      }
    }
  }

  private byte symbol(int point, int category, List<CharacterSet> sets, Map<BitSet, Integer> symbols) {
    BitSet in = new BitSet();
    for (int i = 0; i < sets.size(); i++) {
      in.set(i, sets.get(i).has(point, category));
    }
    int symbol = symbols.computeIfAbsent(in, unseen -> {
      members.add(unseen);
      return members.size() - 1;
    });
    if (symbol > Byte.MAX_VALUE) {
      throw new IllegalArgumentException("a pattern with more than " + Byte.MAX_VALUE + " kinds of characters");
    }
    return (byte) symbol;
  }

  /** Number of symbols. */
  int size() {
    return members.size();
  }

  /** Whether the set of this number has a symbol. */
  boolean has(int set, int symbol) {
    return members.get(symbol).get(set);
  }

  /** Symbols of the code points below 128. */
  byte[] ascii() {
    return ascii;
  }

  /** The symbol of a code point. */
  int symbol(int point) {
    if (point < ASCII) {
      return ascii[point];
    }
    int segment = 0;
    if (bounds.length > 1) {
      int place = Arrays.binarySearch(bounds, point);
      segment = place >= 0 ? place : -place - 2;
    }
    return segments[segment * CATEGORIES + Character.getType(point)];
  }
}
