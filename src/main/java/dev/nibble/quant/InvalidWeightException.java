package dev.nibble.quant;

import dev.nibble.format.Printable;
import dev.nibble.tensor.UnrepresentableWeightException;
import java.io.IOException;
import java.nio.file.Path;

/** A weight of a model cannot be stored (not finite, or too large); the message names tensor and index. */
public final class InvalidWeightException extends IOException {
  private static final long serialVersionUID = 1L;

  private final UnrepresentableWeightException cause;

  InvalidWeightException(String message, UnrepresentableWeightException cause) {
    super(Printable.message(message), cause);
    this.cause = cause;
  }

  /** The same, naming the file as well. */
  InvalidWeightException in(Path file) {
    return new InvalidWeightException(file + ": " + getMessage(), cause);
  }
}
