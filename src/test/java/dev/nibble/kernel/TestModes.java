package dev.nibble.kernel;

import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.VectorShape;

/** Which kernels a test can run on this machine. */
public final class TestModes {
  private TestModes() {}

  /** What the program would choose. */
  public static KernelMode best() {
    return KernelMode.detect().mode();
  }

  /** All but vectors wider than the processor's: a JVM computes those object by object, thousands of times slower. */
  public static List<KernelMode> all() {
    int widest = VectorShape.preferredShape().vectorBitSize();
    return Arrays.stream(KernelMode.values()).filter(mode -> mode.vectorBits() <= widest).toList();
  }
}
