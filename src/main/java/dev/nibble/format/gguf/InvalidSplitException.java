package dev.nibble.format.gguf;

import dev.nibble.format.Printable;
import java.io.IOException;

/** A model in several files whose files do not go together, or are not all there. The message names the file and says what to do. */
public final class InvalidSplitException extends IOException {
  private static final long serialVersionUID = 1L;

  public InvalidSplitException(String message) {
    super(Printable.message(message));
  }
}
