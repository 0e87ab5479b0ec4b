package dev.nibble.tokenizer;

import java.util.function.IntConsumer;

/** Turns text without special tokens into ids. */
sealed interface TextEncoder permits ByteLevelEncoder, SentencePieceEncoder {
  /** @param first whether the text begins the input, or follows a special token */
  void encode(String text, boolean first, IntConsumer out);

  /** The bytes of a normal token. */
  byte[] decode(String token);
}
