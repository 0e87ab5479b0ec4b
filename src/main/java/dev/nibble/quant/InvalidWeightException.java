package dev.nibble.quant;

import dev.nibble.format.Printable;
import dev.nibble.tensor.UnrepresentableWeightException;
import java.io.IOException;

/** A weight of a model cannot be stored (not finite, or too large); the message names tensor and index. */
public final class InvalidWeightException extends IOException {
  private static final long serialVersionUID = 1L;

  InvalidWeightException(String message, UnrepresentableWeightException cause) {
    super(Printable.message(message), cause);
  }
}
