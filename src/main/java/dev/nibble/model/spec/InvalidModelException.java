package dev.nibble.model.spec;

import dev.nibble.format.Printable;
import java.io.IOException;

/** A model that can't be run; the message names the file and what is wrong. */
public final class InvalidModelException extends IOException {
  private static final long serialVersionUID = 1L;

  public InvalidModelException(String message) {
    super(Printable.message(message));
  }
}
