package dev.nibble.kernel;

import jdk.incubator.vector.VectorShape;

/** Asks the Vector API for the machine's width; a class of its own, so that nothing of the API is touched where its module is missing. */
final class VectorWidth {
  private VectorWidth() {}

  static int preferredBits() {
    return VectorShape.preferredShape().vectorBitSize();
  }
}
