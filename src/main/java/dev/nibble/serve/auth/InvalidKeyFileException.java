package dev.nibble.serve.auth;

import java.io.IOException;

/** A key file that can't be used; the message, one line, names the file and what is wrong, and holds no key. */
public final class InvalidKeyFileException extends IOException {
  private static final long serialVersionUID = 1L;

  InvalidKeyFileException(String message) {
    super(message);
  }
}
