package dev.nibble.kernel;

import java.util.List;
import jdk.incubator.vector.VectorShape;

/** Which kernels a test can run on this machine. */
public final class TestModes {
  private TestModes() {}

  /** What the program would choose. */
  public static KernelProvider best() {
    return Kernels.choose().provider();
  }

  /** All but vectors wider than the processor's: a JVM computes those object by object, thousands of times slower. */
  public static List<KernelProvider> all() {
    int widest = VectorShape.preferredShape().vectorBitSize();
    return Kernels.ALL.stream().filter(mode -> mode.vectorBits() <= widest).toList();
  }
}
