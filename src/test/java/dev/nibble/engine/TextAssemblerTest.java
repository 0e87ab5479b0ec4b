package dev.nibble.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class TextAssemblerTest {
  @Test
  void neverReleasesPartOfACharacter() {
    TextAssembler assembler = new TextAssembler(List.of());
    byte[] smile = "😀".getBytes(StandardCharsets.UTF_8);
    for (int i = 0; i < 3; i++) {
      assertThat(assembler.append(new byte[] {smile[i]})).isEmpty();
    }
    assertThat(assembler.append(new byte[] {smile[3]})).isEqualTo("😀");
    assertThat(assembler.append(new byte[] {smile[0], smile[1]})).isEmpty();
    assertThat(assembler.finish()).isEqualTo("\uFFFD");
  }

  @Test
  void holdsBackWhatCouldBecomeAStopString() {
    TextAssembler assembler = new TextAssembler(List.of("\n\nUser:"));
    assertThat(assembler.append(bytes("Yes.\n"))).isEqualTo("Yes.");
    assertThat(assembler.append(bytes("\n"))).isEmpty();
    assertThat(assembler.append(bytes("\n"))).as("the first line break can't start it any more").isEqualTo("\n");
    assertThat(assembler.append(bytes("Us"))).isEmpty();
    assertThat(assembler.stopped()).isFalse();
    assertThat(assembler.append(bytes("er: hello"))).isEmpty();
    assertThat(assembler.stopped()).isTrue();
    assertThat(assembler.append(bytes("more"))).isEmpty();
    assertThat(assembler.finish()).isEmpty();
  }

  @Test
  void releasesAtTheEndWhatWasHeldBack() {
    TextAssembler assembler = new TextAssembler(List.of("END"));
    assertThat(assembler.append(bytes("the EN"))).isEqualTo("the ");
    assertThat(assembler.finish()).isEqualTo("EN");
    assertThat(assembler.stopped()).isFalse();
  }

  @Test
  void theFirstStopStringToBeCompleteEndsTheText() {
    TextAssembler assembler = new TextAssembler(List.of("abcd", "bc", "xbc"));
    assertThat(assembler.append(bytes("abcd"))).isEqualTo("a");
    TextAssembler other = new TextAssembler(List.of("abcd", "bc", "xbc"));
    assertThat(other.append(bytes("_xbcd"))).as("the longest of those complete at once").isEqualTo("_");
  }

  @Test
  void takesTokensLongerThanItsBuffers() {
    String text = "Grüße, ".repeat(500);
    TextAssembler assembler = new TextAssembler(List.of("never"));
    assertThat(assembler.append(bytes(text)) + assembler.finish()).isEqualTo(text);
  }

  /** Few letters, so that strings overlap themselves and each other; a pair of bytes, and a pair of surrogates, span tokens. */
  @Provide
  Arbitrary<String> texts() {
    return Arbitraries.of("a", "b", "c", "é", "😀").list().ofMaxSize(40).map(parts -> String.join("", parts));
  }

  @Provide
  Arbitrary<List<String>> stops() {
    return Arbitraries.of("a", "b", "c", "é", "😀").list().ofMinSize(1).ofMaxSize(6).map(parts -> String.join("", parts)).list().ofMaxSize(4);
  }

  @Property(tries = 3000)
  void stopsLikeTheNaiveSearchHoweverTheTextIsCut(
      @ForAll("texts") String text, @ForAll("stops") List<String> stops, @ForAll @Size(min = 1, max = 5) List<Boolean> cuts) {
    TextAssembler assembler = new TextAssembler(stops);
    StringBuilder released = new StringBuilder();
    for (byte[] token : cut(bytes(text), cuts)) {
      released.append(assembler.append(token));
      assertThat(released).as("released text never shrinks").asString().satisfies(sofar -> assertThat(naive(text, stops)).startsWith(sofar));
    }
    boolean stoppedBeforeEnd = assembler.stopped();
    released.append(assembler.finish());
    assertThat(released.toString()).isEqualTo(naive(text, stops));
    assertThat(stoppedBeforeEnd).isEqualTo(stops.stream().anyMatch(text::contains));
  }

  @Property(tries = 3000)
  void holdsBackNoMoreThanNeeded(@ForAll("texts") String text, @ForAll("stops") List<String> stops) {
    TextAssembler assembler = new TextAssembler(stops);
    String released = assembler.append(bytes(text));
    if (!assembler.stopped()) {
      int held = 0;
      for (String stop : stops) {
        for (int length = 1; length < stop.length(); length++) {
          if (text.endsWith(stop.substring(0, length))) {
            held = Math.max(held, length);
          }
        }
      }
      assertThat(released).isEqualTo(text.substring(0, text.length() - held));
    }
  }

  @Property(tries = 3000)
  void decodesAnyBytesAsStringDoesHoweverTheyAreCut(
      @ForAll("spoiltBytes") byte[] bytes, @ForAll @Size(min = 1, max = 5) List<Boolean> cuts) {
    TextAssembler assembler = new TextAssembler(List.of());
    StringBuilder text = new StringBuilder();
    for (byte[] token : cut(bytes, cuts)) {
      text.append(assembler.append(token));
    }
    assertThat(text.append(assembler.finish()).toString()).isEqualTo(new String(bytes, StandardCharsets.UTF_8));
  }

  /** Bytes that often start, continue and spoil sequences: lead bytes of each length, surrogates' and overlong forms, and beyond Unicode. */
  @Provide
  Arbitrary<byte[]> spoiltBytes() {
    return Arbitraries.of(0x41, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xC3, 0xE0, 0xE2, 0xED, 0xF0, 0xF4, 0xF5, 0xFF)
        .list()
        .ofMaxSize(30)
        .map(
            values -> {
              byte[] bytes = new byte[values.size()];
              for (int i = 0; i < bytes.length; i++) {
                bytes[i] = values.get(i).byteValue();
              }
              return bytes;
            });
  }

  /** For each end in turn: the first at which a stop string is complete, cut before the longest of those. */
  private static String naive(String text, List<String> stops) {
    int bestEnd = Integer.MAX_VALUE;
    int bestStart = text.length();
    for (String stop : stops) {
      int start = text.indexOf(stop);
      int end = start + stop.length();
      if (start >= 0 && (end < bestEnd || end == bestEnd && start < bestStart)) {
        bestEnd = end;
        bestStart = start;
      }
    }
    return text.substring(0, bestStart);
  }

  private static List<byte[]> cut(byte[] bytes, List<Boolean> cuts) {
    List<byte[]> tokens = new ArrayList<>();
    ByteArrayOutputStream token = new ByteArrayOutputStream();
    for (int i = 0; i < bytes.length; i++) {
      token.write(bytes[i]);
      if (cuts.get(i % cuts.size())) {
        tokens.add(token.toByteArray());
        token.reset();
      }
    }
    tokens.add(token.toByteArray());

    return tokens;
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
