package dev.nibble.tokenizer;

import dev.nibble.format.Printable;
import java.io.IOException;

/** A vocabulary that is damaged or of a kind that can't be used; the message names the file. */
public final class InvalidVocabularyException extends IOException {
  private static final long serialVersionUID = 1L;

  public InvalidVocabularyException(String message) {
    super(Printable.message(message));
  }
}
