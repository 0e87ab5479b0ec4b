// Printed from src/main/templates/kernel/HalfKernel.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;

import dev.nibble.kernel.tile.HalfTile;
import dev.nibble.tensor.Half;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Products in the layout of {@link HalfTile}, by vectors of 256 bits: one FMA for each input, in order. A pair of shorts is taken apart as an int, which holds
 * rows i and 8 + i: bfloat16 is the upper half of a float; binary16 is moved into a float's place and multiplied by 2^112, the difference of the exponents.
 */
final class HalfKernel256 {
  private HalfKernel256() {}

  /** One vector times one tile of bfloat16. */
  static void multiplyBrain(MemorySegment weights, long tile, int columns, float[] x, int xAt, float[] out, int outAt) {
    FloatVector low0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector high0 = FloatVector.zero(Lanes256.FLOATS);
    for (int i = 0; i < columns; i++) {
      IntVector pairs0 = IntVector.fromMemorySegment(Lanes256.INTS, weights, tile, LITTLE_ENDIAN);
      FloatVector broadcast = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i]);
      low0 = pairs0.lanewise(LSHL, 16).reinterpretAsFloats().fma(broadcast, low0);
      high0 = pairs0.and(0xffff0000).reinterpretAsFloats().fma(broadcast, high0);
      tile += HalfTile.INPUT_BYTES;
    }
    low0.intoArray(out, outAt);
    high0.intoArray(out, outAt + 8);
  }

  /** Four vectors, {@code xStride} apart, times one tile of bfloat16. */
  static void multiplyFourBrain(
      MemorySegment weights, long tile, int columns, float[] x, int xAt, int xStride, float[] out, int outAt, int outStride) {
    FloatVector sumALow = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumAHigh = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumBLow = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumBHigh = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumCLow = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumCHigh = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumDLow = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumDHigh = FloatVector.zero(Lanes256.FLOATS);
    for (int i = 0; i < columns; i++) {
      IntVector pairs = IntVector.fromMemorySegment(Lanes256.INTS, weights, tile, LITTLE_ENDIAN);
      FloatVector low = pairs.lanewise(LSHL, 16).reinterpretAsFloats();
      FloatVector high = pairs.and(0xffff0000).reinterpretAsFloats();
      FloatVector xA = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i]);
      sumALow = low.fma(xA, sumALow);
      sumAHigh = high.fma(xA, sumAHigh);
      FloatVector xB = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i + xStride]);
      sumBLow = low.fma(xB, sumBLow);
      sumBHigh = high.fma(xB, sumBHigh);
      FloatVector xC = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i + 2 * xStride]);
      sumCLow = low.fma(xC, sumCLow);
      sumCHigh = high.fma(xC, sumCHigh);
      FloatVector xD = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i + 3 * xStride]);
      sumDLow = low.fma(xD, sumDLow);
      sumDHigh = high.fma(xD, sumDHigh);
      tile += HalfTile.INPUT_BYTES;
    }
    sumALow.intoArray(out, outAt);
    sumAHigh.intoArray(out, outAt + 8);
    sumBLow.intoArray(out, outAt + outStride);
    sumBHigh.intoArray(out, outAt + outStride + 8);
    sumCLow.intoArray(out, outAt + 2 * outStride);
    sumCHigh.intoArray(out, outAt + 2 * outStride + 8);
    sumDLow.intoArray(out, outAt + 3 * outStride);
    sumDHigh.intoArray(out, outAt + 3 * outStride + 8);
  }

  /** One vector times one tile of binary16. */
  static void multiplyHalf(MemorySegment weights, long tile, int columns, float[] x, int xAt, float[] out, int outAt) {
    FloatVector low0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector high0 = FloatVector.zero(Lanes256.FLOATS);
    for (int i = 0; i < columns; i++) {
      IntVector pairs0 = IntVector.fromMemorySegment(Lanes256.INTS, weights, tile, LITTLE_ENDIAN);
      FloatVector broadcast = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i]);
      low0 = pairs0.lanewise(LSHL, 16).lanewise(ASHR, 3).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).fma(broadcast, low0);
      high0 = pairs0.lanewise(ASHR, 3).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).fma(broadcast, high0);
      tile += HalfTile.INPUT_BYTES;
    }
    low0.intoArray(out, outAt);
    high0.intoArray(out, outAt + 8);
  }

  /** Four vectors, {@code xStride} apart, times one tile of binary16. */
  static void multiplyFourHalf(
      MemorySegment weights, long tile, int columns, float[] x, int xAt, int xStride, float[] out, int outAt, int outStride) {
    FloatVector sumALow = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumAHigh = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumBLow = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumBHigh = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumCLow = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumCHigh = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumDLow = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumDHigh = FloatVector.zero(Lanes256.FLOATS);
    for (int i = 0; i < columns; i++) {
      IntVector pairs = IntVector.fromMemorySegment(Lanes256.INTS, weights, tile, LITTLE_ENDIAN);
      FloatVector low = pairs.lanewise(LSHL, 16).lanewise(ASHR, 3).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector high = pairs.lanewise(ASHR, 3).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector xA = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i]);
      sumALow = low.fma(xA, sumALow);
      sumAHigh = high.fma(xA, sumAHigh);
      FloatVector xB = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i + xStride]);
      sumBLow = low.fma(xB, sumBLow);
      sumBHigh = high.fma(xB, sumBHigh);
      FloatVector xC = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i + 2 * xStride]);
      sumCLow = low.fma(xC, sumCLow);
      sumCHigh = high.fma(xC, sumCHigh);
      FloatVector xD = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i + 3 * xStride]);
      sumDLow = low.fma(xD, sumDLow);
      sumDHigh = high.fma(xD, sumDHigh);
      tile += HalfTile.INPUT_BYTES;
    }
    sumALow.intoArray(out, outAt);
    sumAHigh.intoArray(out, outAt + 8);
    sumBLow.intoArray(out, outAt + outStride);
    sumBHigh.intoArray(out, outAt + outStride + 8);
    sumCLow.intoArray(out, outAt + 2 * outStride);
    sumCHigh.intoArray(out, outAt + 2 * outStride + 8);
    sumDLow.intoArray(out, outAt + 3 * outStride);
    sumDHigh.intoArray(out, outAt + 3 * outStride + 8);
  }
}
