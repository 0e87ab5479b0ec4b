package dev.nibble.format;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class PrintableTest {
  @Test
  void ordinaryTextStaysAsItIs() {
    for (String text : new String[] {"", "plain", "naïve Größe 模型 🎈 👩\u200d🚀 می\u200cخواهم", "already \\u001b escaped"}) {
      assertThat(Printable.of(text)).isEqualTo(text);
    }
  }

  @Test
  void whatTerminalsAndLogsTakeForMoreThanTextIsEscaped() {
    assertThat(Printable.of("a\u001b[2J\r\n\tb\u0007\u0000\u007f")).isEqualTo("a\\u001b[2J\\r\\n\\tb\\u0007\\u0000\\u007f");
    assertThat(Printable.of("\u009b31m \u202egnp.exe \u2066x\u2069 \u200f \ufeff")).isEqualTo("\\u009b31m \\u202egnp.exe \\u2066x\\u2069 \\u200f \\ufeff");
    assertThat(Printable.of("line\u2028paragraph\u2029")).isEqualTo("line\\u2028paragraph\\u2029");
    assertThat(Printable.of("half \ud83c pair \udf88")).isEqualTo("half \\ud83c pair \\udf88");
    assertThat(Printable.of(new String(Character.toChars(0xe0041)))).isEqualTo("\\U000e0041");
  }

  /** No character that is not shown as itself gets through, whichever it is. */
  @Test
  void nothingInvisibleIsLeft() {
    IntStream.rangeClosed(0, Character.MAX_CODE_POINT).forEach(c -> {
      String shown = Printable.of("a" + Character.toString(c) + "b");
      assertThat(shown.codePoints().noneMatch(out -> Character.isISOControl(out) || out >= 0x202a && out <= 0x202e || out >= 0x2066 && out <= 0x2069
          || out >= 0xd800 && out <= 0xdfff)).as("U+%04X", c).isTrue();
      assertThat(shown.lines()).as("U+%04X", c).hasSize(1);
    });
  }

  @Test
  void longTextIsCutInTheMiddle() {
    String text = "begin " + "x".repeat(700_000) + " end";
    assertThat(Printable.of(text, 100)).hasSize(101).startsWith("begin xxx").contains("x…x").endsWith("xxx end");
    assertThat(Printable.message(text)).hasSizeLessThan(1100);
    assertThat(Printable.message(null)).isNull();
    // A pair that the cut divides is no text any more.
    assertThat(Printable.of("🎈".repeat(100), 101)).matches("(🎈)*(\\\\ud83c)?…(\\\\udf88)?(🎈)*");
  }

  @Test
  void generatedTextKeepsItsLinesButBeginsNoCommand() {
    assertThat(Printable.forTerminal("{\n\t\"a\": 1 }\r\u001b]0;title\u0007 🎈\u009b")).isEqualTo("{\n\t\"a\": 1 }\\r\\u001b]0;title\\u0007 🎈\\u009b");
  }
}
