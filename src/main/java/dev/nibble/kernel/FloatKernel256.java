// Printed from src/main/templates/kernel/FloatKernel.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import dev.nibble.kernel.tile.TileLayout;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** Products in the layout of {@link TileLayout#FLOAT}, by vectors of 256 bits: one FMA for each input, in order. */
final class FloatKernel256 {
  /** Bytes of a tile's rows of one input. */
  private static final int INPUT_BYTES = TileLayout.ROWS * Float.BYTES;

  private FloatKernel256() {}

  /** One vector times one tile. */
  static void multiply(MemorySegment weights, long tile, int columns, float[] x, int xAt, float[] out, int outAt) {
    FloatVector sum0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sum1 = FloatVector.zero(Lanes256.FLOATS);
    for (int i = 0; i < columns; i++) {
      FloatVector broadcast = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i]);
      sum0 = FloatVector.fromMemorySegment(Lanes256.FLOATS, weights, tile, LITTLE_ENDIAN).fma(broadcast, sum0);
      sum1 = FloatVector.fromMemorySegment(Lanes256.FLOATS, weights, tile + 32, LITTLE_ENDIAN).fma(broadcast, sum1);
      tile += INPUT_BYTES;
    }
    sum0.intoArray(out, outAt);
    sum1.intoArray(out, outAt + 8);
  }

  /** Four vectors, {@code xStride} apart, times one tile. */
  static void multiplyFour(
      MemorySegment weights, long tile, int columns, float[] x, int xAt, int xStride, float[] out, int outAt, int outStride) {
    FloatVector sumA0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumA1 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB1 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumC0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumC1 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumD0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumD1 = FloatVector.zero(Lanes256.FLOATS);
    for (int i = 0; i < columns; i++) {
      FloatVector w0 = FloatVector.fromMemorySegment(Lanes256.FLOATS, weights, tile, LITTLE_ENDIAN);
      FloatVector w1 = FloatVector.fromMemorySegment(Lanes256.FLOATS, weights, tile + 32, LITTLE_ENDIAN);
      FloatVector xA = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i]);
      sumA0 = w0.fma(xA, sumA0);
      sumA1 = w1.fma(xA, sumA1);
      FloatVector xB = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i + xStride]);
      sumB0 = w0.fma(xB, sumB0);
      sumB1 = w1.fma(xB, sumB1);
      FloatVector xC = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i + 2 * xStride]);
      sumC0 = w0.fma(xC, sumC0);
      sumC1 = w1.fma(xC, sumC1);
      FloatVector xD = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i + 3 * xStride]);
      sumD0 = w0.fma(xD, sumD0);
      sumD1 = w1.fma(xD, sumD1);
      tile += INPUT_BYTES;
    }
    sumA0.intoArray(out, outAt);
    sumA1.intoArray(out, outAt + 8);
    sumB0.intoArray(out, outAt + outStride);
    sumB1.intoArray(out, outAt + outStride + 8);
    sumC0.intoArray(out, outAt + 2 * outStride);
    sumC1.intoArray(out, outAt + 2 * outStride + 8);
    sumD0.intoArray(out, outAt + 3 * outStride);
    sumD1.intoArray(out, outAt + 3 * outStride + 8);
  }
}
