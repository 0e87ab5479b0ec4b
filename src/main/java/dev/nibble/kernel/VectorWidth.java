package dev.nibble.kernel;

import jdk.incubator.vector.VectorShape;

/** Asks the Vector API for the machine's width; a class of its own, so that nothing of the API is touched where its module is missing. */
final class VectorWidth {
  /**
   * In a native image the API tells the width of the machine that built it, while its code has the width of the instruction set it was built for.
   * This class is initialised when an image is built, and the build says for which set; elsewhere there is no limit.
   */
  private static final int LIMIT = switch (System.getProperty("nibble.native.march", "")) {
    case "x86-64", "x86-64-v2", "compatibility", "armv8-a", "armv8.1-a" -> 128;
    case "x86-64-v3" -> 256;
    default -> Integer.MAX_VALUE;
  };

  private VectorWidth() {}

  static int preferredBits() {
    return Math.min(LIMIT, VectorShape.preferredShape().vectorBitSize());
  }
}
