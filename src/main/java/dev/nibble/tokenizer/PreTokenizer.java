package dev.nibble.tokenizer;

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

  /** Where the word that begins at {@code from} ends, in a text that ends at {@code to}. */
  int end(String text, int from, int to) {
    return this == GPT2 ? endGpt2(text, from, to) : endLlama3(text, from, to);
  }

  private static int endGpt2(String text, int from, int to) {
    int contraction = contraction(text, from, to, false);
    if (contraction > 0) {
      return from + contraction;
    }
    int start = text.charAt(from) == ' ' && from + 1 < to ? from + 1 : from;
    int kind = kind(point(text, start, to));
    return kind == SPACE ? endSpaces(text, from, to) : run(text, start, to, kind, Integer.MAX_VALUE);
  }

  private int endLlama3(String text, int from, int to) {
    int contraction = contraction(text, from, to, true);
    if (contraction > 0) {
      return from + contraction;
    }
    int first = point(text, from, to);
    int kind = kind(first);
    int after = from + Character.charCount(first);
    int next = after < to ? kind(point(text, after, to)) : -1;
    if (kind == LETTER) {
      return run(text, from, to, LETTER, Integer.MAX_VALUE);
    }
    if (kind != NUMBER && first != '\r' && first != '\n' && next == LETTER) {
      return run(text, after, to, LETTER, Integer.MAX_VALUE);
    }
    if (kind == NUMBER) {
      return run(text, from, to, NUMBER, mostDigits);
    }
    if (kind == OTHER || first == ' ' && next == OTHER) {
      int end = run(text, kind == OTHER ? from : after, to, OTHER, Integer.MAX_VALUE);
      while (end < to && (text.charAt(end) == '\r' || text.charAt(end) == '\n')) {
        end++;
      }
      return end;
    }
    for (int last = run(text, from, to, SPACE, Integer.MAX_VALUE) - 1; last >= from; last--) {
      if (text.charAt(last) == '\r' || text.charAt(last) == '\n') {
        return last + 1;
      }
    }
    return endSpaces(text, from, to);
  }

  /** White space up to the end, or up to the last one before a word, which belongs to the word. */
  private static int endSpaces(String text, int from, int to) {
    int end = run(text, from, to, SPACE, Integer.MAX_VALUE);
    return end < to && end - from > 1 ? end - 1 : end; // all white space is of one char
  }

  private static int run(String text, int from, int to, int kind, int most) {
    int end = from;
    for (int count = 0; end < to && count < most; count++) {
      int point = point(text, end, to);
      if (kind(point) != kind) {
        break;
      }
      end += Character.charCount(point);
    }
    return end;
  }

  private static int point(String text, int at, int to) {
    char first = text.charAt(at);
    return Character.isHighSurrogate(first) && at + 1 < to ? text.codePointAt(at) : first;
  }

  private static int contraction(String text, int from, int to, boolean anyCase) {
    if (text.charAt(from) != '\'' || from + 1 >= to) {
      return 0;
    }
    int a = fold(text.charAt(from + 1), anyCase);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') {
      return 2;
    }
    int b = from + 2 < to ? fold(text.charAt(from + 2), anyCase) : 0;
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
