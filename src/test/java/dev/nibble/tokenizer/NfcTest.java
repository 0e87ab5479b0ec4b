package dev.nibble.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.text.Normalizer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

/** Form C in linear time, held to the JDK's, whose Unicode data it takes: these tests go through all of Unicode, so that a newer JDK's is noticed. */
final class NfcTest {
  private static final Duration HUNG = Duration.ofMinutes(1);

  private static String mine(String text) {
    return Nfc.normalize(text, 0, text.length(), EncodingBudget.unlimited());
  }

  private static String nfc(String text) {
    return Normalizer.normalize(text, Normalizer.Form.NFC);
  }

  private static int[] nfd(int point) {
    return Normalizer.normalize(Character.toString(point), Normalizer.Form.NFD).codePoints().toArray();
  }

  private static IntStream allPoints() {
    return IntStream.rangeClosed(0, Character.MAX_CODE_POINT).filter(point -> point < Character.MIN_SURROGATE || point > Character.MAX_SURROGATE);
  }

  private static int utf8(int point) {
    return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }

  @Test
  void everyCharacterAloneAndAmongMarks() {
    StringBuilder all = new StringBuilder();
    allPoints().forEach(all::appendCodePoint);
    assertThat(mine(all.toString())).isEqualTo(nfc(all.toString()));
    StringBuilder marked = new StringBuilder();
    allPoints().forEach(point -> marked.appendCodePoint(point).append("\u0301\u0316").appendCodePoint(point).append("\u1161\u11A8\u0327"));
    assertThat(mine(marked.toString())).isEqualTo(nfc(marked.toString()));
  }

  /** The rule of where pieces begin: nothing that changes places or composes backwards, or turns into such characters, is taken for a beginning. */
  @Test
  void piecesBeginWhereNothingReachesAcross() {
    boolean[] joins = new boolean[Character.MAX_CODE_POINT + 1];
    allPoints().forEach(point -> {
      int[] parts = nfd(point);
      boolean composite = parts.length > 1 && nfc(new String(parts, 0, parts.length)).equals(Character.toString(point));
      for (int i = composite ? 1 : parts.length; i < parts.length; i++) {
        joins[parts[i]] = true;
      }
    });
    allPoints().filter(point -> joins[nfd(point)[0]] || Nfc.classOf(nfd(point)[0]) > 0).forEach(point -> assertThat(Nfc.joins(point)).as("U+%04X", point).isTrue());
  }

  /** The table of classes is complete and in order: two marks change places just if the first one's class is higher. */
  @Test
  void classesAreThoseOfTheJdk() {
    List<Integer> marks = allPoints().filter(point -> nfd(point).length == 1 && nfd(point)[0] == point && Nfc.classOf(point) > 0).boxed().toList();
    assertThat(marks).hasSizeGreaterThan(900);
    int[] firstOfClass = new int[Byte.MAX_VALUE];
    marks.forEach(mark -> firstOfClass[Nfc.classOf(mark)] = mark);
    for (int mark : marks) {
      for (int kind = 1; kind < firstOfClass.length && firstOfClass[kind] > 0; kind++) {
        String pair = Character.toString(mark) + Character.toString(firstOfClass[kind]);
        boolean moved = Normalizer.normalize(pair, Normalizer.Form.NFD).codePointAt(0) != mark;
        assertThat(moved).as("U+%04X and U+%04X", mark, firstOfClass[kind]).isEqualTo(Nfc.classOf(mark) > kind);
      }
    }
  }

  @Test
  void randomSequencesOfMarksJamoAndStarters() {
    int[] marks = allPoints().filter(Nfc::joins).toArray();
    int[] composing = allPoints().filter(point -> nfd(point).length > 1).toArray();
    String starters = "aAeuUi\u03B9\u1FBE\u212A\u212B\u2126\u1100\uAC00\uAC01\u0915\u09C7\u1025\u05D0\u0F40\u3046\u304B";
    Random random = new Random(13);
    List<String> texts = new ArrayList<>();
    for (int round = 0; round < 3000; round++) {
      StringBuilder text = new StringBuilder();
      int few = 1 + random.nextInt(12); // a few marks again and again compose more often
      int[] chosen = random.ints(few, 0, marks.length).map(i -> marks[i]).toArray();
      while (text.length() < 300 || round % 7 == 0 && text.length() < 3000) {
        switch (random.nextInt(4)) {
          case 0 -> text.append(starters.charAt(random.nextInt(starters.length())));
          case 1 -> text.appendCodePoint(composing[random.nextInt(composing.length)]);
          default -> {
            for (int i = random.nextInt(200); i >= 0; i--) {
              text.appendCodePoint(chosen[random.nextInt(few)]);
            }
          }
        }
      }
      texts.add(text.toString());
    }
    for (String start : List.of("", "a", "\u1100", "\uAC00", "\u0344", "\uD834", "x\uDC00", "\uD81A\uDD67")) {
      for (String mark : List.of("\u0301", "\u0301\u0316", "\u0344", "\u1161\u11A8", "\u1161", "\u11A8", "\uD81A\uDD67", "\u0F73", "\u0300\u0345\u0313", "\uD800", "\u09BE\u09C7")) {
        for (int count : new int[] {1, 31, 32, 63, 64, 65, 66, 129, 1023, 1024, 1025}) {
          texts.add(start + mark.repeat(count) + "z");
        }
      }
    }
    for (String text : texts) {
      if (!mine(text).equals(nfc(text))) { // no describing of what is equal: that would take longer than the comparison
        assertThat(mine(text)).isEqualTo(nfc(text));
      }
    }
  }

  /** By the JDK alone, these took from minutes to days. */
  @Test
  void longRunsOfMarksTakeLinearTime() {
    Assertions.assertTimeoutPreemptively(HUNG, () -> {
      int half = 1_000_000;
      // By equals, since a failure's description of such texts would fill the screen.
      assertThat(mine("a" + "\u0301\u0316".repeat(half)).equals("\u00E1" + "\u0316".repeat(half) + "\u0301".repeat(half - 1))).isTrue();
      assertThat(mine("\u0301\u0316".repeat(half)).equals("\u0316".repeat(half) + "\u0301".repeat(half))).isTrue();
      assertThat(mine("\u1161\u11A8".repeat(half)).equals("\u1161\u11A8".repeat(half))).isTrue();
      String word = "\u00E1" + "\u0316".repeat(40) + "\u0301".repeat(39);
      assertThat(mine(("a" + "\u0301\u0316".repeat(40)).repeat(half / 40)).equals(word.repeat(half / 40))).isTrue();
    });
  }

  @Test
  void budgetEndsIt() {
    int[] calls = {0};
    EncodingBudget budget = new EncodingBudget(Integer.MAX_VALUE, Long.MAX_VALUE, () -> ++calls[0] > 100);
    String text = "a" + "\u0301\u0316".repeat(1_000_000);
    assertThatThrownBy(() -> Nfc.normalize(text, 0, text.length(), budget)).isInstanceOfSatisfying(EncodingStoppedException.class,
        stopped -> assertThat(stopped.reason()).isEqualTo(EncodingStoppedException.Cause.CANCELLED));
    assertThat(calls[0]).isEqualTo(101);
  }

  /**
   * The bound of how far form C shortens UTF-8. Let a decomposed character weigh the most bytes of any character that becomes it alone; no character has more
   * bytes than its parts weigh, so a text has no more bytes than all its parts weigh, which are its result's parts too: the worst character of a result bounds it.
   */
  @Test
  void shrinkingIsBounded() {
    int[] weights = new int[Character.MAX_CODE_POINT + 1];
    allPoints().filter(point -> nfd(point).length == 1).forEach(point -> weights[nfd(point)[0]] = Math.max(weights[nfd(point)[0]], utf8(point)));
    double[] most = {0};
    allPoints().forEach(point -> {
      int weight = IntStream.of(nfd(point)).map(part -> weights[part]).sum();
      assertThat(weight).as("U+%04X", point).isGreaterThanOrEqualTo(utf8(point));
      if (nfc(Character.toString(point)).equals(Character.toString(point))) {
        most[0] = Math.max(most[0], (double) weight / utf8(point));
      }
    });
    assertThat(most[0] * 2).isEqualTo(Nfc.TWICE_MOST_SHRINKING);
    assertThat(nfc("\u1FBE\u0308\u0301")).isEqualTo("\u0390");
  }
}
