package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;

import dev.nibble.kernel.tile.HalfTile;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Products in the layout of {@link HalfTile}: one FMA for each input, in order. A pair of shorts is taken apart as an int: bfloat16 is the
 * upper half of a float; binary16 is moved into a float's place and multiplied by 2^112, the difference of the exponents.
 */
final class HalfKernel256 {
  private HalfKernel256() {}

  /** One vector times one tile of bfloat16. */
  static void multiplyBrain(MemorySegment weights, long tile, int columns, float[] x, int xAt, float[] out, int outAt) {
    FloatVector sum0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sum1 = FloatVector.zero(Lanes256.FLOATS);
    for (int i = 0; i < columns; i++) {
      IntVector halves = IntVector.fromMemorySegment(Lanes256.INTS, weights, tile + 32L * i, LITTLE_ENDIAN);
      FloatVector w0 = halves.lanewise(LSHL, 16).reinterpretAsFloats();
      FloatVector w1 = halves.and(0xffff0000).reinterpretAsFloats();
      FloatVector broadcast = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i]);
      sum0 = w0.fma(broadcast, sum0);
      sum1 = w1.fma(broadcast, sum1);
    }
    sum0.intoArray(out, outAt);
    sum1.intoArray(out, outAt + 8);
  }

  /** Four vectors, {@code xStride} apart, times one tile of bfloat16. */
  static void multiplyFourBrain(
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
      IntVector halves = IntVector.fromMemorySegment(Lanes256.INTS, weights, tile + 32L * i, LITTLE_ENDIAN);
      FloatVector w0 = halves.lanewise(LSHL, 16).reinterpretAsFloats();
      FloatVector w1 = halves.and(0xffff0000).reinterpretAsFloats();
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

  /** One vector times one tile of binary16. */
  static void multiplyHalf(MemorySegment weights, long tile, int columns, float[] x, int xAt, float[] out, int outAt) {
    FloatVector sum0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sum1 = FloatVector.zero(Lanes256.FLOATS);
    for (int i = 0; i < columns; i++) {
      IntVector halves = IntVector.fromMemorySegment(Lanes256.INTS, weights, tile + 32L * i, LITTLE_ENDIAN);
      FloatVector w0 = halves.lanewise(LSHL, 16).lanewise(ASHR, 3).and(0x8fffe000).reinterpretAsFloats().mul(0x1p112f);
      FloatVector w1 = halves.lanewise(ASHR, 3).and(0x8fffe000).reinterpretAsFloats().mul(0x1p112f);
      FloatVector broadcast = FloatVector.broadcast(Lanes256.FLOATS, x[xAt + i]);
      sum0 = w0.fma(broadcast, sum0);
      sum1 = w1.fma(broadcast, sum1);
    }
    sum0.intoArray(out, outAt);
    sum1.intoArray(out, outAt + 8);
  }

  /** Four vectors, {@code xStride} apart, times one tile of binary16. */
  static void multiplyFourHalf(
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
      IntVector halves = IntVector.fromMemorySegment(Lanes256.INTS, weights, tile + 32L * i, LITTLE_ENDIAN);
      FloatVector w0 = halves.lanewise(LSHL, 16).lanewise(ASHR, 3).and(0x8fffe000).reinterpretAsFloats().mul(0x1p112f);
      FloatVector w1 = halves.lanewise(ASHR, 3).and(0x8fffe000).reinterpretAsFloats().mul(0x1p112f);
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
