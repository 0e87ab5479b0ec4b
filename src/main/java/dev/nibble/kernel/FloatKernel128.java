// Printed from src/main/templates/kernel/FloatKernel.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import dev.nibble.kernel.tile.TileLayout;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** Products in the layout of {@link TileLayout#FLOAT}, by vectors of 128 bits: one FMA for each input, in order. */
final class FloatKernel128 {
  /** Bytes of a tile's rows of one input. */
  private static final int INPUT_BYTES = TileLayout.ROWS * Float.BYTES;

  private FloatKernel128() {}

  /** One vector times one tile. */
  static void multiply(MemorySegment weights, long tile, int columns, float[] x, int xAt, float[] out, int outAt) {
    FloatVector sum0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum1 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum2 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum3 = FloatVector.zero(Lanes128.FLOATS);
    for (int i = 0; i < columns; i++) {
      FloatVector broadcast = FloatVector.broadcast(Lanes128.FLOATS, x[xAt + i]);
      sum0 = FloatVector.fromMemorySegment(Lanes128.FLOATS, weights, tile, LITTLE_ENDIAN).fma(broadcast, sum0);
      sum1 = FloatVector.fromMemorySegment(Lanes128.FLOATS, weights, tile + 16, LITTLE_ENDIAN).fma(broadcast, sum1);
      sum2 = FloatVector.fromMemorySegment(Lanes128.FLOATS, weights, tile + 2 * 16, LITTLE_ENDIAN).fma(broadcast, sum2);
      sum3 = FloatVector.fromMemorySegment(Lanes128.FLOATS, weights, tile + 3 * 16, LITTLE_ENDIAN).fma(broadcast, sum3);
      tile += INPUT_BYTES;
    }
    sum0.intoArray(out, outAt);
    sum1.intoArray(out, outAt + 4);
    sum2.intoArray(out, outAt + 2 * 4);
    sum3.intoArray(out, outAt + 3 * 4);
  }
}
