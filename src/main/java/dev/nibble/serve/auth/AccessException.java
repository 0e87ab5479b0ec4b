package dev.nibble.serve.auth;

import dev.nibble.serve.api.AccessError;
import java.util.Optional;

/** A call that is not let in: why, in a sentence for its sender that holds no key. */
public final class AccessException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final AccessError error;
  private final Scope needed; // null: any key would do

  AccessException(AccessError error, String message, Optional<Scope> needed) {
    // Refusals are no defects, and anybody can cause them: no stack trace.
    super(message, null, false, false);
    this.error = error;
    this.needed = needed.orElse(null);
  }

  public AccessError error() {
    return error;
  }

  /** The scope that the call needs; empty where any key would do. */
  public Optional<Scope> needed() {
    return Optional.ofNullable(needed);
  }
}
