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
 * Products in the layout of {@link HalfTile}, by vectors of 128 bits: one FMA for each input, in order. A pair of shorts is taken apart as an int, which holds
 * rows i and 8 + i: bfloat16 is the upper half of a float; binary16 is moved into a float's place and multiplied by 2^112, the difference of the exponents.
 */
final class HalfKernel128 {
  private HalfKernel128() {}

  /** One vector times one tile of bfloat16. */
  static void multiplyBrain(MemorySegment weights, long tile, int columns, float[] x, int xAt, float[] out, int outAt) {
    FloatVector low0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector low1 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector high0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector high1 = FloatVector.zero(Lanes128.FLOATS);
    for (int i = 0; i < columns; i++) {
      IntVector pairs0 = IntVector.fromMemorySegment(Lanes128.INTS, weights, tile, LITTLE_ENDIAN);
      IntVector pairs1 = IntVector.fromMemorySegment(Lanes128.INTS, weights, tile + 16, LITTLE_ENDIAN);
      FloatVector broadcast = FloatVector.broadcast(Lanes128.FLOATS, x[xAt + i]);
      low0 = pairs0.lanewise(LSHL, 16).reinterpretAsFloats().fma(broadcast, low0);
      low1 = pairs1.lanewise(LSHL, 16).reinterpretAsFloats().fma(broadcast, low1);
      high0 = pairs0.and(0xffff0000).reinterpretAsFloats().fma(broadcast, high0);
      high1 = pairs1.and(0xffff0000).reinterpretAsFloats().fma(broadcast, high1);
      tile += HalfTile.INPUT_BYTES;
    }
    low0.intoArray(out, outAt);
    low1.intoArray(out, outAt + 4);
    high0.intoArray(out, outAt + 8);
    high1.intoArray(out, outAt + 12);
  }

  /** One vector times one tile of binary16. */
  static void multiplyHalf(MemorySegment weights, long tile, int columns, float[] x, int xAt, float[] out, int outAt) {
    FloatVector low0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector low1 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector high0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector high1 = FloatVector.zero(Lanes128.FLOATS);
    for (int i = 0; i < columns; i++) {
      IntVector pairs0 = IntVector.fromMemorySegment(Lanes128.INTS, weights, tile, LITTLE_ENDIAN);
      IntVector pairs1 = IntVector.fromMemorySegment(Lanes128.INTS, weights, tile + 16, LITTLE_ENDIAN);
      FloatVector broadcast = FloatVector.broadcast(Lanes128.FLOATS, x[xAt + i]);
      low0 = pairs0.lanewise(LSHL, 16).lanewise(ASHR, 3).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).fma(broadcast, low0);
      low1 = pairs1.lanewise(LSHL, 16).lanewise(ASHR, 3).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).fma(broadcast, low1);
      high0 = pairs0.lanewise(ASHR, 3).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).fma(broadcast, high0);
      high1 = pairs1.lanewise(ASHR, 3).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).fma(broadcast, high1);
      tile += HalfTile.INPUT_BYTES;
    }
    low0.intoArray(out, outAt);
    low1.intoArray(out, outAt + 4);
    high0.intoArray(out, outAt + 8);
    high1.intoArray(out, outAt + 12);
  }
}
