package dev.nibble.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/** SentencePiece BPE by score, with byte fallback. */
final class SentencePieceEncoder implements TextEncoder {
  private static final char SPACE = '\u2581';
  private static final int LONG_WORD = 256; // characters after which it pays to ask how many tokens there must be at least

  private final boolean spacePrefix;
  private final Map<String, Integer> pieces; // no control, unknown or byte tokens: text must not make them
  private final int[] ranks; // by id: equal scores, equal ranks
  private final int[] byteIds = new int[256];
  private final PairFilter neighbours = new PairFilter(); // characters side by side in some piece
  private final LengthBound bound = new LengthBound(); // by character
  private final int mostChars; // of a piece
  private final int longest; // in UTF-8 bytes; a space may have been written as U+2581, which has three

  SentencePieceEncoder(Vocabulary vocabulary, Vocabulary.SentencePiece algorithm) throws InvalidVocabularyException {
    spacePrefix = algorithm.spacePrefix();
    int size = vocabulary.tokens().size();
    if (vocabulary.scores().length != size) {
      throw new InvalidVocabularyException(vocabulary.scores().length + " scores for " + size + " tokens");
    }
    float[] scores = vocabulary.scores();
    for (int id = 0; id < size; id++) {
      if (Float.isNaN(scores[id])) {
        throw new InvalidVocabularyException("the score of token " + id + " is NaN");
      }
    }
    pieces = HashMap.newHashMap(size);
    int unknown = vocabulary.types().indexOf(TokenType.UNKNOWN);
    Arrays.fill(byteIds, unknown);
    for (int id = 0; id < size; id++) {
      String token = vocabulary.tokens().get(id);
      switch (vocabulary.types().get(id)) {
        case NORMAL, USER_DEFINED -> pieces.putIfAbsent(token, id);
        case BYTE -> byteIds[byteOf(token)] = id;
        case UNKNOWN, CONTROL, UNUSED -> {
          // never made from text
        }
      }
    }
    if (IntStream.of(byteIds).anyMatch(id -> id < 0)) {
      throw new InvalidVocabularyException("the vocabulary has neither a token for every byte nor an unknown token");
    }
    int chars = 0;
    int bytes = 1;
    for (String piece : pieces.keySet()) {
      int length = piece.codePointCount(0, piece.length());
      int utf8 = 0;
      for (int at = 0, before = -1; at < piece.length(); at += Character.charCount(before)) {
        int point = piece.codePointAt(at);
        if (before >= 0) {
          neighbours.add(before, point);
        }
        bound.note(point, length);
        utf8 += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        before = point;
      }
      chars = Math.max(chars, piece.length());
      bytes = Math.max(bytes, utf8);
    }
    mostChars = chars;
    longest = bytes;
    ranks = new int[size];
    long[] order = new long[size]; // highest score first, as longs: boxes and comparators would take most of a start-up
    for (int id = 0; id < size; id++) {
      int bits = Float.floatToIntBits(scores[id]);
      int ascending = bits ^ bits >> 31 & Integer.MAX_VALUE; // ordered as Float.compare orders
      order[id] = (long) ~ascending << 32 | id;
    }
    Arrays.sort(order);
    for (int i = 1; i < size; i++) {
      int id = (int) order[i];
      int before = (int) order[i - 1];
      ranks[id] = ranks[before] + (scores[id] == scores[before] ? 0 : 1);
    }
  }

  /** Whether a token is named as bytes are, "&lt;0x00&gt;" to "&lt;0xFF&gt;". */
  static boolean namesByte(String token) {
    return token.length() == 6 && token.startsWith("<0x") && token.endsWith(">") && Character.digit(token.charAt(3), 16) >= 0
        && Character.digit(token.charAt(4), 16) >= 0;
  }

  /** The byte that "&lt;0x41&gt;" names. */
  static int byteOf(String token) throws InvalidVocabularyException {
    if (!namesByte(token)) {
      throw new InvalidVocabularyException("byte token \"" + token + "\" is not named <0x00> to <0xFF>");
    }
    return 16 * Character.digit(token.charAt(3), 16) + Character.digit(token.charAt(4), 16);
  }

  /**
   * Text is merged piecewise: where no token has two characters side by side, no merge can cross the place between them. What is left are words, mostly.
   */
  @Override
  public void encode(String text, int from, int to, IdBuffer out) {
    if (from == to) {
      return;
    }
    Merger merger = new Merger(out.budget());
    StringBuilder word = new StringBuilder();
    long shares = 0;
    int known = 0;
    int before = -1;
    if (spacePrefix) {
      word.append(SPACE);
      before = SPACE;
    }
    for (int at = from, point; at < to; at += Character.charCount(point)) {
      point = to - at > 1 ? text.codePointAt(at) : text.charAt(at);
      int symbol = point == ' ' ? SPACE : point;
      if (before >= 0 && !neighbours.mayHold(before, symbol)) {
        encodeWord(word.toString(), merger, out);
        word.setLength(0);
        shares = 0;
        known = 0;
      }
      word.appendCodePoint(symbol);
      before = symbol;
      shares += bound.share(symbol);
      if (word.length() - known > LONG_WORD) {
        known = word.length();
        out.expect(LengthBound.tokens(shares));
      }
    }
    encodeWord(word.toString(), merger, out);
  }

  private void encodeWord(String word, Merger merger, IdBuffer out) {
    Integer whole = word.length() <= 1 ? pieces.get(word) : null;
    if (whole != null) {
      out.add(whole);
      return;
    }
    merger.clear();
    for (int at = 0, places; at < word.length(); at += places) {
      int point = word.codePointAt(at);
      places = Character.charCount(point);
      merger.add(pieces.getOrDefault(word.substring(at, at + places), -1), places);
    }
    merger.merge((left, right, from, to) -> {
      Integer id = to - from > mostChars ? null : pieces.get(word.substring(from, to));
      return id == null ? -1 : (long) ranks[id] << 32 | id;
    });
    for (int i = 0; i < merger.length(); i = merger.next(i)) {
      if (merger.id(i) >= 0) {
        out.add(merger.id(i));
      } else {
        for (byte b : word.substring(i, merger.next(i)).getBytes(StandardCharsets.UTF_8)) {
          out.add(byteIds[Byte.toUnsignedInt(b)]);
        }
      }
    }
  }

  @Override
  public Optional<String> remark() {
    return Optional.empty();
  }

  @Override
  public int longest() {
    return longest;
  }

  @Override
  public byte[] decode(String token) {
    return token.replace(SPACE, ' ').getBytes(StandardCharsets.UTF_8);
  }
}
