package dev.nibble.quant;

import java.io.IOException;

/** A weight of a model cannot be stored (not finite, or too large); the message names tensor and index. */
public final class InvalidWeightException extends IOException {
  private static final long serialVersionUID = 1L;

  InvalidWeightException(String message, UnrepresentableWeightException cause) {
    super(message, cause);
  }
}
