package dev.nibble.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/** SentencePiece BPE by score, with byte fallback. */
final class SentencePieceEncoder implements TextEncoder {
  private static final char SPACE = '\u2581';

  private final boolean spacePrefix;
  private final Map<String, Integer> pieces; // no control, unknown or byte tokens: text must not make them
  private final int[] ranks; // by id: equal scores, equal ranks
  private final int[] byteIds = new int[256];

  SentencePieceEncoder(Vocabulary vocabulary, Vocabulary.SentencePiece algorithm) throws InvalidVocabularyException {
    spacePrefix = algorithm.spacePrefix();
    int size = vocabulary.tokens().size();
    if (vocabulary.scores().length != size) {
      throw new InvalidVocabularyException(vocabulary.scores().length + " scores for " + size + " tokens");
    }
    float[] scores = vocabulary.scores();
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

  /** The byte that "&lt;0x41&gt;" names. */
  static int byteOf(String token) throws InvalidVocabularyException {
    if (token.length() == 6 && token.startsWith("<0x") && token.endsWith(">")) {
      int high = Character.digit(token.charAt(3), 16);
      int low = Character.digit(token.charAt(4), 16);
      if (high >= 0 && low >= 0) {
        return 16 * high + low;
      }
    }
    throw new InvalidVocabularyException("byte token \"" + token + "\" is not named <0x00> to <0xFF>");
  }

  @Override
  public void encode(String text, boolean first, IntConsumer out) {
    if (text.isEmpty()) {
      return;
    }
    String spaced = (first && spacePrefix ? " " + text : text).replace(' ', SPACE);
    int count = spaced.codePointCount(0, spaced.length());
    int[] places = new int[count + 1]; // of each character in the string
    int[] symbols = new int[count];
    for (int i = 0; i < count; i++) {
      places[i + 1] = spaced.offsetByCodePoints(places[i], 1);
      symbols[i] = pieces.getOrDefault(spaced.substring(places[i], places[i + 1]), -1);
    }
    int[] next = Merger.merge(symbols, (left, right, from, to) -> {
      Integer id = pieces.get(spaced.substring(places[from], places[to]));
      return id == null ? -1 : (long) ranks[id] << 32 | id;
    });
    for (int i = 0; i < count; i = next[i]) {
      if (symbols[i] >= 0) {
        out.accept(symbols[i]);
      } else {
        for (byte b : spaced.substring(places[i], places[next[i]]).getBytes(StandardCharsets.UTF_8)) {
          out.accept(byteIds[Byte.toUnsignedInt(b)]);
        }
      }
    }
  }

  @Override
  public byte[] decode(String token) {
    return token.replace(SPACE, ' ').getBytes(StandardCharsets.UTF_8);
  }
}
