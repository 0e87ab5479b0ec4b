package dev.nibble.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** How a program is begun anew; that it is, and with which heap, deploy/boxes.sh sees of the native executable. */
final class HeapLimitTest {
  @Test
  void wordsAreKeptByteForByte() {
    byte[] line = "nibble\0run\0\0Café \u00e9\0".getBytes(StandardCharsets.UTF_8);
    assertThat(HeapLimit.words(line).stream().map(word -> new String(word, StandardCharsets.UTF_8))).containsExactly("nibble", "run", "", "Café \u00e9");
    assertThat(HeapLimit.words(new byte[0])).isEmpty();
  }
}
