package dev.nibble.quant;

import dev.nibble.format.Printable;
import java.io.IOException;

/** A model to convert is well-formed but of a kind that Nibble does not compute, or lacks something; the message says what. */
public final class UnsupportedModelException extends IOException {
  private static final long serialVersionUID = 1L;

  UnsupportedModelException(String message) {
    super(Printable.message(message));
  }
}
