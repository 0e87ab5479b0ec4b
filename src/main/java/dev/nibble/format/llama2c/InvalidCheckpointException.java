package dev.nibble.format.llama2c;

import dev.nibble.format.Printable;
import java.io.IOException;
import java.nio.file.Path;

/** A llama2.c checkpoint is damaged or malformed; the message says what is wrong, at which byte of which file. */
public final class InvalidCheckpointException extends IOException {
  private static final long serialVersionUID = 1L;

  private final long offset;

  InvalidCheckpointException(String what, long offset, Path file) {
    super(Printable.message("invalid llama2.c checkpoint: " + what + " at byte " + offset + " of " + file));
    this.offset = offset;
  }

  /** Where in the file the fault was found. */
  public long offset() {
    return offset;
  }
}
