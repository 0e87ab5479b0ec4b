package dev.nibble.kernel;

/** Which code computes: all give the same bits. */
public enum KernelMode {
  /** Vector API, 256 bits (AVX2). */
  VECTOR_256,
  /** Vector API, 128 bits (NEON). */
  VECTOR_128,
  /** Plain Java, the reference. */
  SCALAR;

  /**
   * What this machine can do, with the reason where vectors are not used.
   *
   * @param mode the code to use
   * @param reason empty for vectors, else why not and what to do about it
   */
  public record Choice(KernelMode mode, String reason) {}

  /** Chooses for this process. */
  public static Choice detect() {
    boolean nativeImage = "runtime".equals(System.getProperty("org.graalvm.nativeimage.imagecode"));
    if (!nativeImage && ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
      return new Choice(SCALAR, "the module jdk.incubator.vector is not loaded; start Java with --add-modules jdk.incubator.vector");
    }
    int bits = VectorWidth.preferredBits();
    if (bits < 256) {
      // 256-bit species still work on narrower machines, but are emulated there, far slower than plain loops.
      return new Choice(SCALAR, "this processor's vectors have " + bits + " bits; the vector kernels need 256 (AVX2)");
    }
    return new Choice(VECTOR_256, "");
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
