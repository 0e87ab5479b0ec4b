package dev.nibble.format.safetensors;

import dev.nibble.format.Printable;
import java.io.IOException;
import java.nio.file.Path;

/** A safetensors file is damaged or malformed; the message says what is wrong, at which byte of which file. */
public final class InvalidSafetensorsException extends IOException {
  private static final long serialVersionUID = 1L;

  private final long offset;

  InvalidSafetensorsException(String what, long offset, Path file) {
    super(Printable.message("invalid safetensors: " + what + " at byte " + offset + " of " + file));
    this.offset = offset;
  }

  /** Where in the file the fault was found. */
  public long offset() {
    return offset;
  }
}
