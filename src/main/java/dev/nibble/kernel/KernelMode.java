package dev.nibble.kernel;

import java.util.List;

/** Which code computes: all give the same bits. */
public enum KernelMode {
  /** Vector API, 256 bits (AVX2). */
  VECTOR_256,
  /** Vector API, 128 bits (NEON). */
  VECTOR_128,
  /** Plain Java, the reference. */
  SCALAR;

  private static final String PROPERTY = "nibble.vector.bits";
  private static final String VARIABLE = "NIBBLE_VECTOR_BITS";

  /**
   * What this machine can do, with the reason where it is less than was asked for, or no vectors at all.
   *
   * @param mode the code to use
   * @param reason empty where all is well, else what is missing and what to do about it
   */
  public record Choice(KernelMode mode, String reason) {}

  /**
   * Chooses for this process: what {@code nibble.vector.bits} (a system property, or NIBBLE_VECTOR_BITS in the environment) says, else the widest there is.
   *
   * @throws IllegalArgumentException for a width that is not 256, 128, or 0 (plain Java)
   */
  public static Choice detect() {
    String wanted = System.getProperty(PROPERTY, System.getenv(VARIABLE));
    if (wanted != null && !List.of("256", "128", "0").contains(wanted)) {
      throw new IllegalArgumentException(PROPERTY + " is \"" + wanted + "\"; allowed: 256, 128, 0 for no vectors");
    }
    if ("0".equals(wanted)) {
      return new Choice(SCALAR, PROPERTY + " is 0");
    }
    boolean nativeImage = "runtime".equals(System.getProperty("org.graalvm.nativeimage.imagecode"));
    if (!nativeImage && ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
      return new Choice(SCALAR, "the module jdk.incubator.vector is not loaded; start Java with --add-modules jdk.incubator.vector");
    }
    // Wider species than the machine has still work, but are emulated, far slower than plain loops.
    int bits = VectorWidth.preferredBits();
    if (bits < 128) {
      return new Choice(SCALAR, "this processor's vectors have " + bits + " bits; the vector kernels need 128 or 256");
    }
    if (bits < 256) {
      return new Choice(VECTOR_128, "256".equals(wanted) ? PROPERTY + " is 256, but this processor's vectors have " + bits + " bits" : "");
    }
    return new Choice("128".equals(wanted) ? VECTOR_128 : VECTOR_256, "");
  }

  /** Bits of a vector in this mode; 0 for plain Java. */
  public int vectorBits() {
    return switch (this) {
      case VECTOR_256 -> 256;
      case VECTOR_128 -> 128;
      case SCALAR -> 0;
    };
  }
}
