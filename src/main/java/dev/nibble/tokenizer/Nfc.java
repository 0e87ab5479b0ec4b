package dev.nibble.tokenizer;

import java.text.Normalizer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Unicode's normalisation form C (UAX 15) in time that grows with the text only. {@link Normalizer} does the work, in pieces that begin where normalisation
 * can't reach across. Its time is quadratic in the number of combining marks that follow each other, so long runs of them are ordered and composed here, by
 * its answers for single characters and for pairs.
 */
final class Nfc {
  /** Most bytes of UTF-8 that become one byte, times two: U+1FBE U+0308 U+0301, of seven bytes, become U+0390, of two. */
  static final int TWICE_MOST_SHRINKING = 7;

  /** A combining mark of each canonical combining class but 0, in their order. A mark's class is that of the one that it does not change places with. */
  private static final int[] CLASSES = ("\u0334\uD81B\uDFF0\u093C\u3099\u094D\u05B0\u05B1\u05B2\u05B3\u05B4\u05B5\u05B6\u05B7\u05B8\u05B9\u05BB\u05BC\u05BD\u05BF\u05C1\u05C2\uFB1E"
      + "\u064B\u064C\u064D\u0618\u0619\u061A\u0651\u0652\u0670\u0711\u0C55\u0C56\u0E38\u0E48\u0EB8\u0EC8\u0F71\u0F72\u0F74\u0321\u1DCE\u031B\u1DFA\u0316\u059A\u302E"
      + "\uD834\uDD6D\u05AE\u0300\u0315\u035C\u035D\u0345").codePoints().toArray();

  private static final char FIRST_MARK = 0x300; // no character before it joins or moves
  private static final int PIECE = 1024; // characters for the Normalizer at once, about
  private static final int MANY_MARKS = 64;
  private static final int MOST_COMPOSITIONS = 4096; // kept, so that a text of ever new pairs takes no memory

  private final EncodingBudget budget;
  private final StringBuilder out = new StringBuilder();
  private final Map<Integer, int[]> decompositions = new HashMap<>();
  private final Map<Integer, Integer> classes = new HashMap<>();
  private final Map<Long, Integer> compositions = new HashMap<>();

  private Nfc(EncodingBudget budget) {
    this.budget = budget;
  }

  /** Whether this part of a text has only characters of which every sequence is in form C. */
  static boolean isSimple(String text, int from, int to) {
    for (int i = from; i < to; i++) {
      if (text.charAt(i) >= FIRST_MARK) {
        return false;
      }
    }
    return true;
  }

  /** The form C of a part of a text. @throws EncodingStoppedException when the budget is used up */
  static String normalize(String text, int from, int to, EncodingBudget budget) {
    Nfc nfc = new Nfc(budget);
    nfc.run(text, from, to);
    return nfc.out.toString();
  }

  private void run(String text, int from, int to) {
    int piece = from;
    while (piece < to) {
      budget.checkpoint();
      int end = piece;
      int segment = piece;
      while (end < to && end - piece < PIECE && end - segment <= MANY_MARKS) {
        segment = end;
        end = boundary(text, end, to);
      }
      if (end - segment <= MANY_MARKS) {
        piece(text.substring(piece, end));
      } else {
        piece(text.substring(piece, segment));
        manyMarks(text.substring(segment, end));
      }
      piece = end;
    }
  }

  private void piece(String text) {
    out.append(isSimple(text, 0, text.length()) ? text : Normalizer.normalize(text, Normalizer.Form.NFC));
  }

  /** The next place after {@code at} that normalisation does not reach across. */
  private int boundary(String text, int at, int to) {
    int next = at;
    int steps = 0;
    do {
      if (++steps % PIECE == 0) {
        budget.checkpoint();
      }
      next += next + 1 < to ? Character.charCount(text.codePointAt(next)) : 1;
    } while (next < to && joins(text.codePointAt(next)));
    return next;
  }

  /** Whether a character may change places with one before it, or compose with it, or turns into characters that do. */
  static boolean joins(int point) {
    if (point < FIRST_MARK) {
      return false;
    }
    return switch (Character.getType(point)) {
      case Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.COMBINING_SPACING_MARK -> true;
      // Vowels and final consonants of Hangul, and vowels of Kirat Rai, are letters.
      default -> point >= 0x1160 && point <= 0x11FF || point >= 0x16D63 && point <= 0x16D6A;
    };
  }

  /** A starter and its many marks: decomposed, ordered, composed. */
  private void manyMarks(String text) {
    int[] points = new int[text.length()];
    int size = 0;
    int steps = 0;
    for (int at = 0, point; at < text.length(); at += Character.charCount(point)) {
      point = text.codePointAt(at);
      int[] parts = decompositions.computeIfAbsent(point, each -> Normalizer.normalize(Character.toString(each), Normalizer.Form.NFD).codePoints().toArray());
      if (size + parts.length > points.length) {
        points = Arrays.copyOf(points, 2 * points.length + parts.length);
      }
      System.arraycopy(parts, 0, points, size, parts.length);
      size += parts.length;
      if (++steps % PIECE == 0) {
        budget.checkpoint();
      }
    }
    byte[] kinds = new byte[size];
    for (int i = 0; i < size; i++) {
      kinds[i] = classes.computeIfAbsent(points[i], Nfc::classOf).byteValue();
    }
    for (int begin = 0, end; begin < size; begin = end + 1) {
      end = begin;
      while (end < size && kinds[end] > 0) {
        end++;
      }
      order(points, kinds, begin, end);
    }
    compose(points, kinds, size);
  }

  /** Stable counting sort by class. */
  private void order(int[] points, byte[] kinds, int begin, int end) {
    if (end - begin < 2) {
      return;
    }
    budget.checkpoint();
    int[] places = new int[CLASSES.length + 2];
    for (int i = begin; i < end; i++) {
      places[kinds[i] + 1]++;
    }
    for (int kind = 1; kind < places.length; kind++) {
      places[kind] += places[kind - 1];
    }
    int[] sorted = new int[end - begin];
    byte[] sortedKinds = new byte[end - begin];
    for (int i = begin; i < end; i++) {
      int place = places[kinds[i]]++;
      sorted[place] = points[i];
      sortedKinds[place] = kinds[i];
    }
    System.arraycopy(sorted, 0, points, begin, sorted.length);
    System.arraycopy(sortedKinds, 0, kinds, begin, sorted.length);
  }

  /** The canonical composition algorithm (UAX 15). */
  private void compose(int[] points, byte[] kinds, int size) {
    int written = 0;
    int starter = -1;
    for (int i = 0; i < size; i++) {
      if (i % PIECE == 0) {
        budget.checkpoint();
      }
      boolean blocked = starter < 0 || written - 1 > starter && kinds[written - 1] >= kinds[i];
      int composed = blocked ? -1 : composition(points[starter], points[i]);
      if (composed >= 0) {
        points[starter] = composed;
        continue;
      }
      if (kinds[i] == 0) {
        starter = written;
      }
      points[written] = points[i];
      kinds[written++] = kinds[i];
    }
    for (int i = 0; i < written; i++) {
      out.appendCodePoint(points[i]);
    }
  }

  private int composition(int left, int right) {
    if (compositions.size() > MOST_COMPOSITIONS) {
      compositions.clear();
    }
    return compositions.computeIfAbsent((long) left << 32 | right, pair -> {
      int[] both = normal(left, right, Normalizer.Form.NFC).codePoints().toArray();
      return both.length == 1 ? both[0] : -1;
    });
  }

  private static String normal(int first, int second, Normalizer.Form form) {
    return Normalizer.normalize(Character.toString(first) + Character.toString(second), form);
  }

  /** Number of a character's canonical combining class among those in use: 0 is class 0. */
  static int classOf(int mark) {
    int low = 0;
    int high = CLASSES.length - 1;
    if (!changesPlaces(mark, CLASSES[low]) && !changesPlaces(CLASSES[high], mark)) {
      return 0; // every other class is below the highest or above the lowest
    }
    while (low < high) {
      int middle = low + high >>> 1;
      if (changesPlaces(mark, CLASSES[middle])) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low + 1;
  }

  private static boolean changesPlaces(int first, int second) {
    return normal(first, second, Normalizer.Form.NFD).codePointAt(0) == second && first != second;
  }
}
