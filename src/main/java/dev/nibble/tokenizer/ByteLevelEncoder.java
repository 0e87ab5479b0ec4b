package dev.nibble.tokenizer;

import dev.nibble.tokenizer.pretokenize.Splitter;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Byte-level BPE. Bytes that have no token are left out of texts, as other programs leave them out: control characters that no training text had. */
final class ByteLevelEncoder implements TextEncoder {
  /** GPT-2's alphabet: printable characters stand for themselves, the other bytes for U+0100 and on. */
  private static final char[] ALPHABET = alphabet();
  private static final byte[] BYTES = bytes();

  private static final int NONE = -1;
  private static final int LONG_WORD = 256; // bytes after which it pays to ask how many tokens there must be at least

  private final Vocabulary vocabulary;
  private final Vocabulary.ByteLevel algorithm;
  private final Splitter splitter;
  private final Map<String, Integer> ids;
  private final int[] byteIds = new int[256];
  private final MergeTable pairs;
  private final LengthBound bound = new LengthBound(); // by byte
  private final int longest;

  ByteLevelEncoder(Vocabulary vocabulary, Vocabulary.ByteLevel algorithm, Map<String, Integer> ids) throws InvalidVocabularyException {
    this.vocabulary = vocabulary;
    this.algorithm = algorithm;
    splitter = algorithm.preTokenizer().splitter();
    this.ids = ids;
    for (int i = 0; i < 256; i++) {
      String token = String.valueOf(ALPHABET[i]);
      byteIds[i] = i >= ' ' && i <= '~' ? id(token, "for byte", i) : ids.getOrDefault(token, NONE);
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
      int merged = id(left.concat(right), "of merge", rank);
      if (!isControl(merged)) { // text never makes those
        pairs.putIfAbsent(id(left, "of merge", rank), id(right, "of merge", rank), (long) rank << 32 | merged);
      }
      rank++;
    }
    for (String token : vocabulary.tokens()) {
      for (int i = 0; i < token.length(); i++) {
        if (token.charAt(i) < BYTES.length) {
          bound.note(Byte.toUnsignedInt(BYTES[token.charAt(i)]), token.length());
        }
      }
    }
    longest = bound.longest();
  }

  /** Whether there is text with this byte. */
  private static boolean isInUtf8(int value) {
    return value != 0xC0 && value != 0xC1 && value < 0xF5;
  }

  private boolean isControl(int id) {
    return vocabulary.types().get(id) == TokenType.CONTROL;
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
  public void encode(String text, int from, int to, IdBuffer out) {
    if (algorithm.nfc() && !Nfc.isSimple(text, from, to)) {
      String normal = Nfc.normalize(text, from, to, out.budget());
      encodeNormal(normal, 0, normal.length(), out);
    } else {
      encodeNormal(text, from, to, out);
    }
  }

  private void encodeNormal(String text, int from, int to, IdBuffer out) {
    Merger merger = new Merger(out.budget());
    Splitter.Words words = splitter.words(text, from, to);
    for (int at = from; at < to;) {
      int end = words.next();
      merger.clear();
      long shares = 0;
      int known = 0;
      for (int point; at < end; at += Character.charCount(point)) {
        point = end - at > 1 ? text.codePointAt(at) : text.charAt(at);
        shares += addUtf8(point, merger);
        if (merger.length() - known > LONG_WORD) {
          known = merger.length();
          out.expect(LengthBound.tokens(shares));
        }
      }
      if (merger.length() == 0) {
        continue;
      }
      Integer whole = algorithm.wholeWords() && merger.length() <= longest ? whole(merger) : null;
      if (whole != null) {
        out.add(whole);
        continue;
      }
      merger.merge((left, right, begin, after) -> pairs.get(left, right));
      for (int i = 0; i < merger.length(); i = merger.next(i)) {
        out.add(merger.id(i));
      }
    }
  }

  private int addUtf8(int point, Merger merger) {
    if (point < 0x80) {
      return add(point, merger);
    }
    if (point < 0x800) {
      return add(0xC0 | point >> 6, merger) + add(0x80 | point & 0x3F, merger);
    }
    if (point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE) {
      return add('?', merger); // half a pair, which UTF-8 does not have
    }
    int tail = add(point < 0x10000 ? 0xE0 | point >> 12 : 0xF0 | point >> 18, merger);
    if (point >= 0x10000) {
      tail += add(0x80 | point >> 12 & 0x3F, merger);
    }
    return tail + add(0x80 | point >> 6 & 0x3F, merger) + add(0x80 | point & 0x3F, merger);
  }

  private int add(int value, Merger merger) {
    if (byteIds[value] == NONE) {
      return 0;
    }
    merger.add(byteIds[value], 1);
    return bound.share(value);
  }

  /** The token that is the whole word, or null. */
  private Integer whole(Merger word) {
    char[] letters = new char[word.length()];
    for (int i = 0; i < letters.length; i++) {
      letters[i] = vocabulary.tokens().get(word.id(i)).charAt(0); // a byte's token is one letter
    }
    Integer id = ids.get(new String(letters));
    return id == null || isControl(id) ? null : id;
  }

  @Override
  public Optional<String> remark() {
    String missing = IntStream.range(0, byteIds.length).filter(value -> byteIds[value] == NONE && isInUtf8(value))
        .mapToObj(value -> String.format(Locale.ROOT, "%02X", value)).collect(Collectors.joining(", "));
    return missing.isEmpty() ? Optional.empty() : Optional.of("The vocabulary has no tokens for these bytes, which are left out of texts: " + missing + ".");
  }

  @Override
  public int longest() {
    return longest;
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
