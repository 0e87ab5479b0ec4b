package dev.nibble.format.gguf;

import dev.nibble.format.Printable;

/** A metadata key that is missing, or whose value can't be used; the message names key and file. */
public final class GgufKeyException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String key;

  public GgufKeyException(String key, String message) {
    super(Printable.message(message));
    this.key = key;
  }

  public String key() {
    return key;
  }
}
