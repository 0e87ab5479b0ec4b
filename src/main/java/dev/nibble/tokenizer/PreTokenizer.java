package dev.nibble.tokenizer;

import java.util.ArrayList;
import java.util.List;

/**
 * Splits text into words that merges do not cross: the regular expressions of byte-level vocabularies, by hand, since
 * {@link java.util.regex} recurses on long words and is several times slower.
 */
public enum PreTokenizer {
  /** {@code 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+} */
  GPT2("gpt-2", Integer.MAX_VALUE),
  /** {@code (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+} */
  LLAMA3("llama-bpe", 3),
  /** LLAMA3's with each digit alone: {@code \p{N}}. */
  QWEN2("qwen2", 1);

  private static final int SPACE = 0;
  private static final int LETTER = 1;
  private static final int NUMBER = 2;
  private static final int OTHER = 3;

  private final String ggufName;
  private final int mostDigits;

  PreTokenizer(String ggufName, int mostDigits) {
    this.ggufName = ggufName;
    this.mostDigits = mostDigits;
  }

  /** The name in GGUF's {@code tokenizer.ggml.pre}. */
  public String ggufName() {
    return ggufName;
  }

  /** The words of a text, in order; together they are the text. */
  List<String> split(String text) {
    int[] points = text.codePoints().toArray();
    List<String> words = new ArrayList<>();
    for (int from = 0; from < points.length;) {
      int to = this == GPT2 ? endGpt2(points, from) : endLlama3(points, from);
      words.add(new String(points, from, to - from));
      from = to;
    }
    return words;
  }

  private static int endGpt2(int[] text, int from) {
    int contraction = contraction(text, from, false);
    if (contraction > 0) {
      return from + contraction;
    }
    int start = text[from] == ' ' && from + 1 < text.length ? from + 1 : from;
    int kind = kind(text[start]);
    return kind == SPACE ? endSpaces(text, from) : run(text, start, kind, Integer.MAX_VALUE);
  }

  private int endLlama3(int[] text, int from) {
    int contraction = contraction(text, from, true);
    if (contraction > 0) {
      return from + contraction;
    }
    int first = text[from];
    int kind = kind(first);
    int next = from + 1 < text.length ? kind(text[from + 1]) : -1;
    if (kind == LETTER) {
      return run(text, from, LETTER, Integer.MAX_VALUE);
    }
    if (kind != NUMBER && first != '\r' && first != '\n' && next == LETTER) {
      return run(text, from + 1, LETTER, Integer.MAX_VALUE);
    }
    if (kind == NUMBER) {
      return run(text, from, NUMBER, mostDigits);
    }
    if (kind == OTHER || first == ' ' && next == OTHER) {
      int end = run(text, kind == OTHER ? from : from + 1, OTHER, Integer.MAX_VALUE);
      while (end < text.length && (text[end] == '\r' || text[end] == '\n')) {
        end++;
      }
      return end;
    }
    for (int last = run(text, from, SPACE, Integer.MAX_VALUE) - 1; last >= from; last--) {
      if (text[last] == '\r' || text[last] == '\n') {
        return last + 1;
      }
    }
    return endSpaces(text, from);
  }

  /** White space up to the end, or up to the last one before a word, which belongs to the word. */
  private static int endSpaces(int[] text, int from) {
    int end = run(text, from, SPACE, Integer.MAX_VALUE);
    return end < text.length && end - from > 1 ? end - 1 : end;
  }

  private static int run(int[] text, int from, int kind, int most) {
    int end = from;
    while (end < text.length && end - from < most && kind(text[end]) == kind) {
      end++;
    }
    return end;
  }

  private static int contraction(int[] text, int from, boolean anyCase) {
    if (text[from] != '\'' || from + 1 >= text.length) {
      return 0;
    }
    int a = fold(text[from + 1], anyCase);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') {
      return 2;
    }
    int b = from + 2 < text.length ? fold(text[from + 2], anyCase) : 0;
    return (a == 'r' || a == 'v') && b == 'e' || a == 'l' && b == 'l' ? 3 : 0;
  }

  private static int fold(int point, boolean anyCase) {
    // The long s folds to s where case does not matter.
    return !anyCase ? point : point >= 'A' && point <= 'Z' ? point + 32 : point == 0x17F ? 's' : point;
  }

  private static int kind(int point) {
    if (point < 128) {
      return point >= 'a' && point <= 'z' || point >= 'A' && point <= 'Z' ? LETTER
          : point >= '0' && point <= '9' ? NUMBER : point == ' ' || point >= 9 && point <= 13 ? SPACE : OTHER;
    }
    if (Character.isLetter(point)) {
      return LETTER;
    }
    return switch (Character.getType(point)) {
      case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> NUMBER;
      case Character.SPACE_SEPARATOR, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> SPACE;
      default -> point == 0x85 ? SPACE : OTHER; // next line: the only control character beyond ASCII that is White_Space
    };
  }
}
