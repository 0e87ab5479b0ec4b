package dev.nibble.kernel;

import java.util.List;

/** Which code computes: all give the same bits. */
public enum KernelMode {
  /** Vector API, 512 bits (AVX-512) where that gains: INT4 products with four or more vectors; all else as {@link #VECTOR_256}. */
  VECTOR_512,
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
   * @throws IllegalArgumentException for a width that is not 512, 256, 128, or 0 (plain Java)
   */
  public static Choice detect() {
    String wanted = System.getProperty(PROPERTY, System.getenv(VARIABLE));
    if (wanted != null && !List.of("512", "256", "128", "0").contains(wanted)) {
      throw new IllegalArgumentException(PROPERTY + " is \"" + wanted + "\"; allowed: 512, 256, 128, 0 for no vectors");
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
      return new Choice(SCALAR, "this processor's vectors have " + bits + " bits; the vector kernels need 128 or more");
    }
    int most = wanted == null ? bits : Integer.parseInt(wanted);
    int used = Math.min(bits, most);
    KernelMode mode = used >= 512 ? VECTOR_512 : used >= 256 ? VECTOR_256 : VECTOR_128;
    return new Choice(mode, bits < most
        ? PROPERTY + " is " + wanted + ", but this " + (nativeImage ? "executable was built for vectors of " : "processor's vectors have ") + bits + " bits" : "");
  }

  /** Bits of a vector in this mode; 0 for plain Java. */
  public int vectorBits() {
    return switch (this) {
      case VECTOR_512 -> 512;
      case VECTOR_256 -> 256;
      case VECTOR_128 -> 128;
      case SCALAR -> 0;
    };
  }
}
