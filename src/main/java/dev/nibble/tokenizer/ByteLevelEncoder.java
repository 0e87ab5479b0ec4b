package dev.nibble.tokenizer;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.Map;
import java.util.function.IntConsumer;

/** Byte-level BPE. */
final class ByteLevelEncoder implements TextEncoder {
  /** GPT-2's alphabet: printable characters stand for themselves, the other bytes for U+0100 and on. */
  private static final char[] ALPHABET = alphabet();
  private static final byte[] BYTES = bytes();

  private final Vocabulary.ByteLevel algorithm;
  private final Map<String, Integer> ids;
  private final int[] byteIds = new int[256];
  private final MergeTable pairs;

  ByteLevelEncoder(Vocabulary vocabulary, Vocabulary.ByteLevel algorithm, Map<String, Integer> ids) throws InvalidVocabularyException {
    this.algorithm = algorithm;
    this.ids = ids;
    for (int i = 0; i < 256; i++) {
      byteIds[i] = id(String.valueOf(ALPHABET[i]), "for byte", i);
    }
    pairs = new MergeTable(vocabulary.merges().size());
    int rank = 0;
    for (String merge : vocabulary.merges()) {
      int space = merge.indexOf(' ', 1);
      if (space < 0 || space == merge.length() - 1) {
        throw new InvalidVocabularyException("merge " + rank + " (\"" + merge + "\") is not two tokens with a space between");
      }
      String left = merge.substring(0, space);
      String right = merge.substring(space + 1);
      pairs.putIfAbsent(id(left, "of merge", rank), id(right, "of merge", rank), (long) rank << 32 | id(left.concat(right), "of merge", rank));
      rank++;
    }
  }

  private int id(String token, String where, int number) throws InvalidVocabularyException {
    Integer id = ids.get(token);
    if (id == null) {
      throw new InvalidVocabularyException("token \"" + token + "\" " + where + " " + number + " is not in the vocabulary");
    }
    return id;
  }

  private static char[] alphabet() {
    char[] alphabet = new char[256];
    char extra = 0x100;
    for (int i = 0; i < 256; i++) {
      boolean printable = i >= '!' && i <= '~' || i >= 0xA1 && i <= 0xAC || i >= 0xAE;
      alphabet[i] = printable ? (char) i : extra++;
    }
    return alphabet;
  }

  private static byte[] bytes() {
    byte[] bytes = new byte[0x100 + 68];
    for (int i = 0; i < 256; i++) {
      bytes[ALPHABET[i]] = (byte) i;
    }
    return bytes;
  }

  @Override
  public void encode(String text, boolean first, IntConsumer out) {
    String normal = algorithm.nfc() ? Normalizer.normalize(text, Normalizer.Form.NFC) : text;
    for (String word : algorithm.preTokenizer().split(normal)) {
      byte[] utf8 = word.getBytes(StandardCharsets.UTF_8);
      int[] symbols = new int[utf8.length];
      char[] letters = new char[utf8.length];
      for (int i = 0; i < utf8.length; i++) {
        symbols[i] = byteIds[Byte.toUnsignedInt(utf8[i])];
        letters[i] = ALPHABET[Byte.toUnsignedInt(utf8[i])];
      }
      Integer whole = algorithm.wholeWords() ? ids.get(new String(letters)) : null;
      if (whole != null) {
        out.accept(whole);
        continue;
      }
      int[] next = Merger.merge(symbols, (left, right, from, to) -> pairs.get(left, right));
      for (int i = 0; i < symbols.length; i = next[i]) {
        out.accept(symbols[i]);
      }
    }
  }

  @Override
  public byte[] decode(String token) {
    byte[] bytes = new byte[token.length()];
    for (int i = 0; i < bytes.length; i++) {
      char letter = token.charAt(i);
      if (letter >= BYTES.length || ALPHABET[Byte.toUnsignedInt(BYTES[letter])] != letter) {
        return token.getBytes(StandardCharsets.UTF_8); // not of the alphabet: a token of plain text
      }
      bytes[i] = BYTES[letter];
    }
    return bytes;
  }
}
