package dev.nibble.tokenizer;

import java.util.Optional;

/** Turns text without special tokens into ids. */
sealed interface TextEncoder permits ByteLevelEncoder, SentencePieceEncoder {
  /**
   * Adds the ids of the characters from {@code from} to {@code to}, which begin the input or follow a special token.
   *
   * @throws EncodingStoppedException when the budget of {@code out} is used up
   */
  void encode(String text, int from, int to, IdBuffer out);

  /** What of texts is lost, a sentence for people; empty where nothing is. */
  Optional<String> remark();

  /** The bytes of a normal token. */
  byte[] decode(String token);

  /** Most UTF-8 bytes of text that one token made from it can stand for. */
  int longest();
}
