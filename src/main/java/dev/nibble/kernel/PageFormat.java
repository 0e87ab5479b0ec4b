package dev.nibble.kernel;

import java.util.Optional;

/** How the numbers of a full page of a KV cache are kept. {@link PageLayout} says where their bits lie. */
public enum PageFormat {
  /** IEEE 754 binary32: exact, for measuring. */
  F32("f32", 32),
  /** IEEE 754 binary16; beyond ±65504 as ±65504. */
  F16("f16", 16),
  /** Codes 0 to 255, with a scale and a zero point for each group. */
  INT8("8", 8),
  /** Codes 0 to 15, with a scale and a zero point for each group. */
  INT4("4", 4),
  /** Codes 0 to 3, with a scale and a zero point for each group. */
  INT2("2", 2);

  private final String label;
  private final int bits;

  PageFormat(String label, int bits) {
    this.label = label;
    this.bits = bits;
  }

  /** The name in options and settings. */
  public String label() {
    return label;
  }

  /** Bits of a number, without its group's scale and zero point. */
  public int bits() {
    return bits;
  }

  /** Whether numbers are codes of a group's scale and zero point. */
  public boolean coded() {
    return bits <= 8;
  }

  /** The format of this label, if there is one. */
  public static Optional<PageFormat> of(String label) {
    for (PageFormat format : values()) {
      if (format.label.equals(label)) {
        return Optional.of(format);
      }
    }
    return Optional.empty();
  }
}
