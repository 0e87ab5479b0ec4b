package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.S2I;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * INT4 × INT8 products in the layout of {@link Q4Matrix} by vectors of 128 bits: a method computes eight rows of a tile,
 * {@code row} being 0 or 8, in two vectors. All expressions are written out in the
 * methods: a helper that takes or returns vectors would box them in a native image.
 */
final class Q4Kernel128 {
  private Q4Kernel128() {}

  /** One vector times one tile. */
  static void multiply(
      MemorySegment weights, long tile, int blocks, float[] steps, int stepsAt, float[] scales, int[] offsets, int block, float[] out, int outAt, int row) {
    FloatVector sum0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum1 = FloatVector.zero(Lanes128.FLOATS);
    for (int b = 0; b < blocks; b++) {
      ShortVector acc0 = IntVector.broadcast(Lanes128.INTS, offsets[block + b]).reinterpretAsShorts();
      ShortVector acc1 = acc0;
      long at = tile + Q4Matrix.SCALE_BYTES + 4L * row;
      for (int group = 0; group < Q4Matrix.GROUPS; group++) {
        ShortVector w0 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at, LITTLE_ENDIAN);
        ShortVector w1 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at + 16, LITTLE_ENDIAN);
        ShortVector x0 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsAt]).reinterpretAsShorts();
        acc0 = acc0.add(w0.mul(x0));
        acc1 = acc1.add(w1.mul(x0));
        ShortVector x1 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsAt + 1]).reinterpretAsShorts();
        acc0 = acc0.add(w0.lanewise(LSHR, 4).mul(x1));
        acc1 = acc1.add(w1.lanewise(LSHR, 4).mul(x1));
        ShortVector x2 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsAt + 2]).reinterpretAsShorts();
        acc0 = acc0.add(w0.lanewise(LSHR, 8).mul(x2));
        acc1 = acc1.add(w1.lanewise(LSHR, 8).mul(x2));
        ShortVector x3 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsAt + 3]).reinterpretAsShorts();
        acc0 = acc0.add(w0.lanewise(LSHR, 12).mul(x3));
        acc1 = acc1.add(w1.lanewise(LSHR, 12).mul(x3));
        at += Q4Matrix.GROUP_BYTES;
        stepsAt += 4;
      }
      float scale = scales[block + b];
      FloatVector s0 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, weights, tile + 2L * row, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      IntVector int0 = acc0.reinterpretAsInts();
      sum0 = ((FloatVector) int0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(int0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(s0.mul(scale), sum0);
      FloatVector s1 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, weights, tile + 2L * row + 8, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      IntVector int1 = acc1.reinterpretAsInts();
      sum1 = ((FloatVector) int1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(int1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(s1.mul(scale), sum1);
      tile += Q4Matrix.BLOCK_BYTES;
    }
    sum0.intoArray(out, outAt + row);
    sum1.intoArray(out, outAt + row + 4);
  }

  /** Two vectors times one tile: weights are loaded and shifted once for both. Two groups a turn: measured, one takes a fifth longer. */
  static void multiplyTwo(
      MemorySegment weights, long tile, int blocks, float[] steps, int stepsA, int stepsB, float[] scales, int[] offsets, int blockA, int blockB,
      float[] out, int outA, int outB, int row) {
    FloatVector sumA0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sumA1 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sumB0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sumB1 = FloatVector.zero(Lanes128.FLOATS);
    for (int b = 0; b < blocks; b++) {
      ShortVector accA0 = IntVector.broadcast(Lanes128.INTS, offsets[blockA + b]).reinterpretAsShorts();
      ShortVector accA1 = accA0;
      ShortVector accB0 = IntVector.broadcast(Lanes128.INTS, offsets[blockB + b]).reinterpretAsShorts();
      ShortVector accB1 = accB0;
      long at = tile + Q4Matrix.SCALE_BYTES + 4L * row;
      for (int group = 0; group < Q4Matrix.GROUPS; group += 2) {
        ShortVector w0 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at, LITTLE_ENDIAN);
        ShortVector w1 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at + 16, LITTLE_ENDIAN);
        ShortVector xA0 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsA]).reinterpretAsShorts();
        ShortVector xB0 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsB]).reinterpretAsShorts();
        accA0 = accA0.add(w0.mul(xA0));
        accB0 = accB0.add(w0.mul(xB0));
        accA1 = accA1.add(w1.mul(xA0));
        accB1 = accB1.add(w1.mul(xB0));
        ShortVector xA1 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsA + 1]).reinterpretAsShorts();
        ShortVector xB1 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsB + 1]).reinterpretAsShorts();
        ShortVector w0s1 = w0.lanewise(LSHR, 4);
        accA0 = accA0.add(w0s1.mul(xA1));
        accB0 = accB0.add(w0s1.mul(xB1));
        ShortVector w1s1 = w1.lanewise(LSHR, 4);
        accA1 = accA1.add(w1s1.mul(xA1));
        accB1 = accB1.add(w1s1.mul(xB1));
        ShortVector xA2 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsA + 2]).reinterpretAsShorts();
        ShortVector xB2 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsB + 2]).reinterpretAsShorts();
        ShortVector w0s2 = w0.lanewise(LSHR, 8);
        accA0 = accA0.add(w0s2.mul(xA2));
        accB0 = accB0.add(w0s2.mul(xB2));
        ShortVector w1s2 = w1.lanewise(LSHR, 8);
        accA1 = accA1.add(w1s2.mul(xA2));
        accB1 = accB1.add(w1s2.mul(xB2));
        ShortVector xA3 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsA + 3]).reinterpretAsShorts();
        ShortVector xB3 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsB + 3]).reinterpretAsShorts();
        ShortVector w0s3 = w0.lanewise(LSHR, 12);
        accA0 = accA0.add(w0s3.mul(xA3));
        accB0 = accB0.add(w0s3.mul(xB3));
        ShortVector w1s3 = w1.lanewise(LSHR, 12);
        accA1 = accA1.add(w1s3.mul(xA3));
        accB1 = accB1.add(w1s3.mul(xB3));
        ShortVector v0 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at + 64, LITTLE_ENDIAN);
        ShortVector v1 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at + 80, LITTLE_ENDIAN);
        ShortVector xA4 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsA + 4]).reinterpretAsShorts();
        ShortVector xB4 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsB + 4]).reinterpretAsShorts();
        accA0 = accA0.add(v0.mul(xA4));
        accB0 = accB0.add(v0.mul(xB4));
        accA1 = accA1.add(v1.mul(xA4));
        accB1 = accB1.add(v1.mul(xB4));
        ShortVector xA5 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsA + 5]).reinterpretAsShorts();
        ShortVector xB5 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsB + 5]).reinterpretAsShorts();
        ShortVector v0s1 = v0.lanewise(LSHR, 4);
        accA0 = accA0.add(v0s1.mul(xA5));
        accB0 = accB0.add(v0s1.mul(xB5));
        ShortVector v1s1 = v1.lanewise(LSHR, 4);
        accA1 = accA1.add(v1s1.mul(xA5));
        accB1 = accB1.add(v1s1.mul(xB5));
        ShortVector xA6 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsA + 6]).reinterpretAsShorts();
        ShortVector xB6 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsB + 6]).reinterpretAsShorts();
        ShortVector v0s2 = v0.lanewise(LSHR, 8);
        accA0 = accA0.add(v0s2.mul(xA6));
        accB0 = accB0.add(v0s2.mul(xB6));
        ShortVector v1s2 = v1.lanewise(LSHR, 8);
        accA1 = accA1.add(v1s2.mul(xA6));
        accB1 = accB1.add(v1s2.mul(xB6));
        ShortVector xA7 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsA + 7]).reinterpretAsShorts();
        ShortVector xB7 = FloatVector.broadcast(Lanes128.FLOATS, steps[stepsB + 7]).reinterpretAsShorts();
        ShortVector v0s3 = v0.lanewise(LSHR, 12);
        accA0 = accA0.add(v0s3.mul(xA7));
        accB0 = accB0.add(v0s3.mul(xB7));
        ShortVector v1s3 = v1.lanewise(LSHR, 12);
        accA1 = accA1.add(v1s3.mul(xA7));
        accB1 = accB1.add(v1s3.mul(xB7));
        at += 2 * Q4Matrix.GROUP_BYTES;
        stepsA += 8;
        stepsB += 8;
      }
      float scaleA = scales[blockA + b];
      float scaleB = scales[blockB + b];
      FloatVector s0 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, weights, tile + 2L * row, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      IntVector intA0 = accA0.reinterpretAsInts();
      sumA0 = ((FloatVector) intA0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intA0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(s0.mul(scaleA), sumA0);
      IntVector intB0 = accB0.reinterpretAsInts();
      sumB0 = ((FloatVector) intB0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intB0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(s0.mul(scaleB), sumB0);
      FloatVector s1 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, weights, tile + 2L * row + 8, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      IntVector intA1 = accA1.reinterpretAsInts();
      sumA1 = ((FloatVector) intA1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intA1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(s1.mul(scaleA), sumA1);
      IntVector intB1 = accB1.reinterpretAsInts();
      sumB1 = ((FloatVector) intB1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intB1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(s1.mul(scaleB), sumB1);
      tile += Q4Matrix.BLOCK_BYTES;
    }
    sumA0.intoArray(out, outA + row);
    sumA1.intoArray(out, outA + row + 4);
    sumB0.intoArray(out, outB + row);
    sumB1.intoArray(out, outB + row + 4);
  }
}
