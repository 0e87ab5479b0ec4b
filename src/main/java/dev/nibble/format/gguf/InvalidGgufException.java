package dev.nibble.format.gguf;

import dev.nibble.format.Printable;
import java.io.IOException;

/** A GGUF file that is damaged, hostile, or of a kind that can't be read. The message says what, at which byte, of which file. */
public final class InvalidGgufException extends IOException {
  private static final long serialVersionUID = 1L;

  private final long offset;

  public InvalidGgufException(String what, long offset, String file) {
    super(Printable.message("invalid GGUF: " + what + " at byte " + offset + " of " + file));
    this.offset = offset;
  }

  /** Where in the file the offending bytes begin. */
  public long offset() {
    return offset;
  }
}
