package dev.nibble.kernel;

import java.util.List;
import java.util.OptionalInt;

/**
 * What decides which kernels can run in this process.
 *
 * @param wanted bits that {@code nibble.vector.bits} asks for, 0 for plain Java; empty where nobody asks
 * @param vectorModule whether the Vector API is there
 * @param vectorBits of the widest vectors that are instructions rather than loops: the processor's, or what a native executable was built for; 0 where the API
 *     is not there to tell
 * @param nativeImage whether this is a native executable
 */
public record ProcessorFeatures(OptionalInt wanted, boolean vectorModule, int vectorBits, boolean nativeImage) {
  static final String PROPERTY = "nibble.vector.bits";
  private static final String VARIABLE = "NIBBLE_VECTOR_BITS";

  /**
   * Those of this process: {@code nibble.vector.bits} is a system property, or NIBBLE_VECTOR_BITS in the environment.
   *
   * @throws IllegalArgumentException for a width that is not 512, 256, 128, or 0 (plain Java)
   */
  public static ProcessorFeatures detect() {
    String wanted = System.getProperty(PROPERTY, System.getenv(VARIABLE));
    if (wanted != null && !List.of("512", "256", "128", "0").contains(wanted)) {
      throw new IllegalArgumentException(PROPERTY + " is \"" + wanted + "\"; allowed: 512, 256, 128, 0 for no vectors");
    }
    boolean nativeImage = "runtime".equals(System.getProperty("org.graalvm.nativeimage.imagecode"));
    boolean vectorModule = nativeImage || ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
    return new ProcessorFeatures(wanted == null ? OptionalInt.empty() : OptionalInt.of(Integer.parseInt(wanted)), vectorModule,
        vectorModule ? VectorWidth.preferredBits() : 0, nativeImage);
  }
}
