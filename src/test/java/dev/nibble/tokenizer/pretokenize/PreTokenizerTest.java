package dev.nibble.tokenizer.pretokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Rules for splitting text, held to {@link java.util.regex}, which reads the same patterns in quite another way. */
final class PreTokenizerTest {
  private static final int STRINGS = 10_000;
  private static final int LONG = 300_000;
  private static final Duration HUNG = Duration.ofMinutes(2);

  /** Characters of each kind that some pattern tells from others, and beginnings of what patterns spell out. */
  private static final List<String> PARTS = List.of("a", "b", "s", "S", "t", "D", "l", "L", "re", "VE", "Z", "A", "I", "0", "1", "23", "456", "'", "'s", "'LL", "'re", "\u2019", " ", " ", "  ", "    ",
      "\t", "\n", "\r", "\r\n", "\u000B", "\u0085", "\u00A0", "\u2003", "\u2028", "\u3000", "\u200B", "\u001C", "!", ".", ",", "(", ")", "|", "$", "+", "<", "=", ">", "^", "~", "`", "_", "-", "/", "\\", "[", "]", "{",
      "}", "#", "%", "&", "*", ":", "\u3002", "\uFF0C", "\u2026", "\uFF01", "\u2018", "\u20AC", "\u00B5", "\u00AA", "\u00E9", "e\u0301", "\u0301", "\u20DD", "\u0903", "\u01C5", "\u02B0", "\u05D0", "\u0633", "\u06D4",
      "\u060C", "\u0964", "\u4E2D", "\u4E00", "\u3042", "\u30AB", "\uAC00", "\u3131", "\u1F7D", "\u1FBE", "\u2126", "\u212A", "\u017F", "\u10D0", "\u2160", "\u00BD", "\u0663", "\uFF11", "\uD835\uDC00",
      "\uD801\uDC00", "\uD83D\uDE00", "\uD83D", "\uDE00", "\u200D", "\u0378", "\uE000", "\uFFFD", "<sentinel:12>", "<sentinel:", "IMGIMGABZ", "IMGIMG", "\u0000");

  private static Stream<PreTokenizer> table() {
    return PreTokenizer.table().stream();
  }

  private static List<String> split(PreTokenizer rule, String text) {
    return split(rule.splitter(), text);
  }

  private static List<String> split(Splitter splitter, String text) {
    List<String> words = new ArrayList<>();
    Splitter.Words walk = splitter.words(text, 0, text.length());
    for (int from = 0, to; from < text.length(); from = to) {
      to = walk.next();
      words.add(text.substring(from, to));
    }
    return words;
  }

  private static List<String> split(String name, String text) {
    return split(PreTokenizer.named(name).orElseThrow(), text);
  }

  private static Pattern oracle(String pattern) {
    String anchored = pattern.endsWith("$") ? pattern.substring(0, pattern.length() - 1) + "\\z" : pattern; // Java's $ also stands before a last line feed
    return Pattern.compile(anchored, Pattern.UNICODE_CHARACTER_CLASS | Pattern.UNICODE_CASE);
  }

  private static List<String> splitByRegex(List<Pattern> patterns, String text) {
    List<String> pieces = text.isEmpty() ? List.of() : List.of(text);
    for (Pattern pattern : patterns) {
      List<String> next = new ArrayList<>();
      for (String piece : pieces) {
        int done = 0;
        for (Matcher matcher = pattern.matcher(piece); matcher.find(); done = matcher.end()) {
          if (matcher.start() > done) {
            next.add(piece.substring(done, matcher.start()));
          }
          next.add(matcher.group());
        }
        if (done < piece.length()) {
          next.add(piece.substring(done));
        }
      }
      pieces = next;
    }
    return pieces;
  }

  private static String randomText(Random random) {
    StringBuilder text = new StringBuilder();
    int few = 1 + random.nextInt(PARTS.size()); // texts of few kinds of characters have long runs
    int first = random.nextInt(PARTS.size());
    for (int parts = random.nextInt(24); parts > 0; parts--) {
      text.append(PARTS.get((first + random.nextInt(few)) % PARTS.size()));
    }
    return text.toString();
  }

  @ParameterizedTest
  @MethodSource("table")
  void ruleSplitsAsJavasRegularExpressionsDo(PreTokenizer rule) {
    Splitter splitter = rule.splitter();
    List<Pattern> patterns = rule.patterns().stream().map(PreTokenizerTest::oracle).toList();
    Random random = new Random(rule.ggufName().hashCode());
    for (int i = 0; i < STRINGS; i++) {
      String text = randomText(random);
      assertThat(split(splitter, text)).as("%s on \"%s\"", rule.ggufName(), text).isEqualTo(splitByRegex(patterns, text));
    }
    for (int length : new int[] {1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 255, 256, 257, 511, 512, 513, 1025}) {
      for (String text : List.of(" ".repeat(length), " ".repeat(length) + "x", "1".repeat(length), "\n" + " ".repeat(length) + "1", "A".repeat(length) + "1")) {
        assertThat(split(splitter, text)).as("%s on %d characters", rule.ggufName(), length).isEqualTo(splitByRegex(patterns, text));
      }
    }
  }

  /** Where a text is cut out of a longer one, what stands around it is not seen. */
  @Test
  void partsOfTextsAreSplitAsTextsOfTheirOwn() {
    Splitter splitter = PreTokenizer.named("llama-bpe").orElseThrow().splitter();
    Random random = new Random(3);
    for (int i = 0; i < STRINGS; i++) {
      String text = randomText(random);
      int from = random.nextInt(text.length() + 1);
      int to = from + random.nextInt(text.length() - from + 1);
      List<String> words = new ArrayList<>();
      Splitter.Words walk = splitter.words(text, from, to);
      for (int at = from, end; at < to; at = end) {
        end = walk.next();
        words.add(text.substring(at, end));
      }
      assertThat(words).isEqualTo(split(splitter, text.substring(from, to)));
    }
  }

  /** Texts on which a backtracking matcher takes quadratic time, or runs out of stack. */
  @ParameterizedTest
  @MethodSource("table")
  void longRunsTakeNoQuadraticTime(PreTokenizer rule) {
    Splitter splitter = rule.splitter();
    for (String unit : List.of(" ", "\n", "\n ", "a", "A", "\u4E2D", "\u4E2DA", "1", "!", "! ", "\u0301", "\u02B0", "\uD83D\uDE00", "IMGIMG", "<sentinel:1")) {
      for (String end : List.of("", "x", "1")) {
        String text = unit.repeat(LONG / unit.length()) + end;
        assertThat(Assertions.assertTimeoutPreemptively(HUNG, () -> split(splitter, text), unit + " and " + end)).isNotEmpty();
      }
    }
  }

  @Test
  void rulesSplitAsTheirFamiliesDo() {
    assertThat(split("gpt-2", "it's  12345\n\n x!")).containsExactly("it", "'s", " ", " 12345", "\n\n", " x", "!");
    assertThat(split("default", "it's (12345) $5.50 a\u00BDb?!")).containsExactly("it", "'", "s", " ", "(", "123", "45", ")", " ", "$", "5", ".", "50", " a", "\u00BD", "b", "?!");
    assertThat(split("falcon", "it's 12345 `x`")).containsExactly("it", "'", "s", " ", "123", "45", " ", "`", "x", "`");
    assertThat(split("smollm", "room  12 \u00BD")).containsExactly("room", "  ", "1", "2", " ", "\u00BD");
    assertThat(split("llama-bpe", "IT'S 12345 \n\n x!!\n")).containsExactly("IT", "'S", " ", "123", "45", " \n\n", " x", "!!\n");
    assertThat(split("qwen2", "a 12\t\tb")).containsExactly("a", " ", "1", "2", "\t", "\tb");
    assertThat(split("qwen35", "e\u0301a\u0301 x")).containsExactly("e\u0301a\u0301", " x");
    assertThat(split("qwen2", "e\u0301a\u0301 x")).containsExactly("e", "\u0301a", "\u0301", " x");
    assertThat(split("deepseek-llm", "Hi 12\u4E2D\u6587  \n \u0633  ")).containsExactly("Hi", " ", "12", "\u4E2D\u6587", "  ", "\n", " \u0633", "  ");
    assertThat(split("deepseek-coder", "if (x1)\n")).containsExactly("if", " (", "x", "1", ")", "\n");
    assertThat(split("deepseek-v3", "x=foo 1234 ~ \u4E2D\u3042")).containsExactly("x", "=foo", " ", "123", "4", " ~", " ", "\u4E2D\u3042");
    assertThat(split("gpt-4o", "HTTPServer's camelCase/\n 1234")).containsExactly("HTTPServer's", " camel", "Case", "/\n", " ", "123", "4");
    assertThat(split("tekken", "HTTPServer's 12")).containsExactly("HTTPServer", "'s", " ", "1", "2");
    assertThat(split("bloom", "one two, (three)")).containsExactly("one", " two", ", (", "three", ")");
  }

  @Test
  void namesAreUnique() {
    Set<String> names = new HashSet<>();
    for (PreTokenizer rule : PreTokenizer.table()) {
      for (String name : rule.names()) {
        assertThat(names.add(name)).as(name).isTrue();
        assertThat(PreTokenizer.named(name)).containsSame(rule);
      }
      assertThat(PreTokenizer.of(rule.patterns(), rule.nfc(), rule.wholeWords()).map(PreTokenizer::patterns)).contains(rule.patterns());
    }
    assertThat(PreTokenizer.named("gpt-5000")).isEmpty();
    assertThat(PreTokenizer.known()).startsWith("gpt-2, ").contains("smollm");
  }

  @ParameterizedTest
  @ValueSource(strings = {"a*", "(", ")", "[a", "a{2,1}", "a{9999}", "a+?", "a++", "(?=a)", "(?!ab)", "(?<a>b)", "\\d", "\\p{Greek}", "\\p{L", "\\", "[[a]]", "[a&&b]", "[^\\S]", "^a", ".", "*", "[\\s-a]", "a|"})
  void otherPatternsAreRefused(String pattern) {
    assertThatThrownBy(() -> new Splitter(List.of(pattern))).isInstanceOf(IllegalArgumentException.class).message().isNotBlank();
  }
}
