package dev.nibble.format.gguf;

import java.util.Optional;

/** Type of a metadata value, in the order of the numbers that GGUF gives them. */
public enum GgufType {
  UINT8(1),
  INT8(1),
  UINT16(2),
  INT16(2),
  UINT32(4),
  INT32(4),
  FLOAT32(4),
  BOOL(1),
  /** A 64-bit length and that many bytes of UTF-8. */
  STRING(8),
  /** A 32-bit element type, a 64-bit count, and the elements. */
  ARRAY(12),
  UINT64(8),
  INT64(8),
  FLOAT64(8);

  private final int leastBytes;

  GgufType(int leastBytes) {
    this.leastBytes = leastBytes;
  }

  /** Bytes a value takes; for strings and arrays, an empty one. */
  int leastBytes() {
    return leastBytes;
  }

  static Optional<GgufType> of(int number) {
    return number >= 0 && number < values().length ? Optional.of(values()[number]) : Optional.empty();
  }
}
