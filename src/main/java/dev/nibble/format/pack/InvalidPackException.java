package dev.nibble.format.pack;

import dev.nibble.format.Printable;
import java.io.IOException;

/** A packed file that is damaged, hostile, or of a version that can't be read. The message says what is wrong with which part of which file. */
public final class InvalidPackException extends IOException {
  private static final long serialVersionUID = 1L;

  public InvalidPackException(String what, String file) {
    super(Printable.message("invalid pack " + file + ": " + what));
  }
}
