package dev.nibble.engine;

import java.util.List;

/**
 * Finds stop strings in text that comes a char at a time, by the automaton of Knuth, Morris and Pratt (1977), one for each
 * string. The first string to be complete ends the text, however the text was cut into pieces; of several complete at the same
 * char, the longest.
 */
final class StopMatcher {
  private final String[] stops;
  private final int[][] borders; // [stop][n]: the longest proper border of the stop's first n + 1 chars
  private final int[] progress; // [stop]: chars of the stop that the text so far ends with, as many as possible

  /** @param stops not empty strings; the list may be */
  StopMatcher(List<String> stops) {
    this.stops = stops.toArray(String[]::new);
    borders = new int[this.stops.length][];
    progress = new int[this.stops.length];
    for (int i = 0; i < borders.length; i++) {
      borders[i] = borders(this.stops[i]);
    }
  }

  private static int[] borders(String stop) {
    int[] borders = new int[stop.length()];
    for (int i = 1; i < borders.length; i++) {
      borders[i] = advance(stop, borders, borders[i - 1], stop.charAt(i));
    }
    return borders;
  }

  private static int advance(String stop, int[] borders, int matched, char next) {
    int state = matched;
    while (state > 0 && stop.charAt(state) != next) {
      state = borders[state - 1];
    }
    return stop.charAt(state) == next ? state + 1 : 0;
  }

  /** Takes the text's next char; returns the length of the stop string that ends with it, or 0. Not to be called after a match. */
  int feed(char next) {
    int matched = 0;
    for (int i = 0; i < stops.length; i++) {
      progress[i] = advance(stops[i], borders[i], progress[i], next);
      if (progress[i] == stops[i].length()) {
        matched = Math.max(matched, progress[i]);
      }
    }
    return matched;
  }

  /** How many chars at the text's end could be the beginning of a stop string. */
  int held() {
    int held = 0;
    for (int length : progress) {
      held = Math.max(held, length);
    }
    return held;
  }
}
