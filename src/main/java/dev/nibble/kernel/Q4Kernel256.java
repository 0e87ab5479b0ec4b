// Printed from src/main/templates/kernel/Q4Kernel.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.S2I;

import dev.nibble.kernel.tile.Int4Tile;
import dev.nibble.tensor.Half;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * INT4 × INT8 products in the layout of {@link Int4Tile} by vectors of 256 bits: two vectors of eight rows make a tile. All expressions are written out in the
 * methods: a helper that takes or returns vectors would box them in a native image.
 */
final class Q4Kernel256 {
  private Q4Kernel256() {}

  /**
   * One vector times four tiles, which may be the same: four streams of weights, since the processor reads one alone at half the speed that it reads four.
   */
  static void multiply(
      MemorySegment weights, long tileA, long tileB, long tileC, long tileD, int blocks, float[] steps, int stepsAt, float[] scales, int[] offsets, int block,
      float[] out, int outA, int outB, int outC, int outD) {
    FloatVector sumA0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumA1 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB1 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumC0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumC1 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumD0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumD1 = FloatVector.zero(Lanes256.FLOATS);
    for (int b = 0; b < blocks; b++) {
      ShortVector accA0 = IntVector.broadcast(Lanes256.INTS, offsets[block + b]).reinterpretAsShorts();
      ShortVector accA1 = accA0;
      ShortVector accB0 = accA0;
      ShortVector accB1 = accA0;
      ShortVector accC0 = accA0;
      ShortVector accC1 = accA0;
      ShortVector accD0 = accA0;
      ShortVector accD1 = accA0;
      long atA = tileA + Int4Tile.SCALE_BYTES;
      long atB = tileB + Int4Tile.SCALE_BYTES;
      long atC = tileC + Int4Tile.SCALE_BYTES;
      long atD = tileD + Int4Tile.SCALE_BYTES;
      for (int group = 0; group < Int4Tile.GROUPS; group++) {
        ShortVector wA0 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atA, LITTLE_ENDIAN);
        ShortVector wA1 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atA + 32, LITTLE_ENDIAN);
        ShortVector wB0 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atB, LITTLE_ENDIAN);
        ShortVector wB1 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atB + 32, LITTLE_ENDIAN);
        ShortVector wC0 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atC, LITTLE_ENDIAN);
        ShortVector wC1 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atC + 32, LITTLE_ENDIAN);
        ShortVector wD0 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atD, LITTLE_ENDIAN);
        ShortVector wD1 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atD + 32, LITTLE_ENDIAN);
        ShortVector x0 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsAt]).reinterpretAsShorts();
        accA0 = accA0.add(wA0.mul(x0));
        accA1 = accA1.add(wA1.mul(x0));
        accB0 = accB0.add(wB0.mul(x0));
        accB1 = accB1.add(wB1.mul(x0));
        accC0 = accC0.add(wC0.mul(x0));
        accC1 = accC1.add(wC1.mul(x0));
        accD0 = accD0.add(wD0.mul(x0));
        accD1 = accD1.add(wD1.mul(x0));
        ShortVector x1 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsAt + 1]).reinterpretAsShorts();
        accA0 = accA0.add(wA0.lanewise(LSHR, 4).mul(x1));
        accA1 = accA1.add(wA1.lanewise(LSHR, 4).mul(x1));
        accB0 = accB0.add(wB0.lanewise(LSHR, 4).mul(x1));
        accB1 = accB1.add(wB1.lanewise(LSHR, 4).mul(x1));
        accC0 = accC0.add(wC0.lanewise(LSHR, 4).mul(x1));
        accC1 = accC1.add(wC1.lanewise(LSHR, 4).mul(x1));
        accD0 = accD0.add(wD0.lanewise(LSHR, 4).mul(x1));
        accD1 = accD1.add(wD1.lanewise(LSHR, 4).mul(x1));
        ShortVector x2 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsAt + 2]).reinterpretAsShorts();
        accA0 = accA0.add(wA0.lanewise(LSHR, 8).mul(x2));
        accA1 = accA1.add(wA1.lanewise(LSHR, 8).mul(x2));
        accB0 = accB0.add(wB0.lanewise(LSHR, 8).mul(x2));
        accB1 = accB1.add(wB1.lanewise(LSHR, 8).mul(x2));
        accC0 = accC0.add(wC0.lanewise(LSHR, 8).mul(x2));
        accC1 = accC1.add(wC1.lanewise(LSHR, 8).mul(x2));
        accD0 = accD0.add(wD0.lanewise(LSHR, 8).mul(x2));
        accD1 = accD1.add(wD1.lanewise(LSHR, 8).mul(x2));
        ShortVector x3 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsAt + 3]).reinterpretAsShorts();
        accA0 = accA0.add(wA0.lanewise(LSHR, 12).mul(x3));
        accA1 = accA1.add(wA1.lanewise(LSHR, 12).mul(x3));
        accB0 = accB0.add(wB0.lanewise(LSHR, 12).mul(x3));
        accB1 = accB1.add(wB1.lanewise(LSHR, 12).mul(x3));
        accC0 = accC0.add(wC0.lanewise(LSHR, 12).mul(x3));
        accC1 = accC1.add(wC1.lanewise(LSHR, 12).mul(x3));
        accD0 = accD0.add(wD0.lanewise(LSHR, 12).mul(x3));
        accD1 = accD1.add(wD1.lanewise(LSHR, 12).mul(x3));
        atA += Int4Tile.GROUP_BYTES;
        atB += Int4Tile.GROUP_BYTES;
        atC += Int4Tile.GROUP_BYTES;
        atD += Int4Tile.GROUP_BYTES;
        stepsAt += 4;
      }
      float scale = scales[block + b];
      IntVector intA0 = accA0.reinterpretAsInts();
      FloatVector sA0 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileA, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).mul(scale);
      sumA0 = ((FloatVector) intA0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intA0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sA0, sumA0);
      IntVector intA1 = accA1.reinterpretAsInts();
      FloatVector sA1 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileA + 16, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).mul(scale);
      sumA1 = ((FloatVector) intA1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intA1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sA1, sumA1);
      IntVector intB0 = accB0.reinterpretAsInts();
      FloatVector sB0 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileB, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).mul(scale);
      sumB0 = ((FloatVector) intB0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intB0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sB0, sumB0);
      IntVector intB1 = accB1.reinterpretAsInts();
      FloatVector sB1 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileB + 16, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).mul(scale);
      sumB1 = ((FloatVector) intB1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intB1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sB1, sumB1);
      IntVector intC0 = accC0.reinterpretAsInts();
      FloatVector sC0 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileC, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).mul(scale);
      sumC0 = ((FloatVector) intC0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intC0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sC0, sumC0);
      IntVector intC1 = accC1.reinterpretAsInts();
      FloatVector sC1 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileC + 16, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).mul(scale);
      sumC1 = ((FloatVector) intC1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intC1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sC1, sumC1);
      IntVector intD0 = accD0.reinterpretAsInts();
      FloatVector sD0 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileD, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).mul(scale);
      sumD0 = ((FloatVector) intD0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intD0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sD0, sumD0);
      IntVector intD1 = accD1.reinterpretAsInts();
      FloatVector sD1 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileD + 16, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).mul(scale);
      sumD1 = ((FloatVector) intD1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intD1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sD1, sumD1);
      tileA += Int4Tile.BLOCK_BYTES;
      tileB += Int4Tile.BLOCK_BYTES;
      tileC += Int4Tile.BLOCK_BYTES;
      tileD += Int4Tile.BLOCK_BYTES;
    }
    sumA0.intoArray(out, outA);
    sumA1.intoArray(out, outA + 8);
    sumB0.intoArray(out, outB);
    sumB1.intoArray(out, outB + 8);
    sumC0.intoArray(out, outC);
    sumC1.intoArray(out, outC + 8);
    sumD0.intoArray(out, outD);
    sumD1.intoArray(out, outD + 8);
  }

  /** Two vectors times one tile: weights are loaded and shifted once for both. Two groups a turn: measured, one takes a fifth longer. */
  static void multiplyTwo(
      MemorySegment weights, long tile, int blocks, float[] steps, int stepsA, int stepsB, float[] scales, int[] offsets, int blockA, int blockB,
      float[] out, int outA, int outB) {
    FloatVector sumA0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumA1 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB1 = FloatVector.zero(Lanes256.FLOATS);
    for (int b = 0; b < blocks; b++) {
      ShortVector accA0 = IntVector.broadcast(Lanes256.INTS, offsets[blockA + b]).reinterpretAsShorts();
      ShortVector accA1 = accA0;
      ShortVector accB0 = IntVector.broadcast(Lanes256.INTS, offsets[blockB + b]).reinterpretAsShorts();
      ShortVector accB1 = accB0;
      long at = tile + Int4Tile.SCALE_BYTES;
      for (int group = 0; group < Int4Tile.GROUPS; group += 2) {
        ShortVector w0 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, at, LITTLE_ENDIAN);
        ShortVector w1 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, at + 32, LITTLE_ENDIAN);
        ShortVector xA0 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsA]).reinterpretAsShorts();
        ShortVector xB0 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsB]).reinterpretAsShorts();
        accA0 = accA0.add(w0.mul(xA0));
        accB0 = accB0.add(w0.mul(xB0));
        accA1 = accA1.add(w1.mul(xA0));
        accB1 = accB1.add(w1.mul(xB0));
        ShortVector xA1 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsA + 1]).reinterpretAsShorts();
        ShortVector xB1 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsB + 1]).reinterpretAsShorts();
        ShortVector w0s1 = w0.lanewise(LSHR, 4);
        accA0 = accA0.add(w0s1.mul(xA1));
        accB0 = accB0.add(w0s1.mul(xB1));
        ShortVector w1s1 = w1.lanewise(LSHR, 4);
        accA1 = accA1.add(w1s1.mul(xA1));
        accB1 = accB1.add(w1s1.mul(xB1));
        ShortVector xA2 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsA + 2]).reinterpretAsShorts();
        ShortVector xB2 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsB + 2]).reinterpretAsShorts();
        ShortVector w0s2 = w0.lanewise(LSHR, 8);
        accA0 = accA0.add(w0s2.mul(xA2));
        accB0 = accB0.add(w0s2.mul(xB2));
        ShortVector w1s2 = w1.lanewise(LSHR, 8);
        accA1 = accA1.add(w1s2.mul(xA2));
        accB1 = accB1.add(w1s2.mul(xB2));
        ShortVector xA3 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsA + 3]).reinterpretAsShorts();
        ShortVector xB3 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsB + 3]).reinterpretAsShorts();
        ShortVector w0s3 = w0.lanewise(LSHR, 12);
        accA0 = accA0.add(w0s3.mul(xA3));
        accB0 = accB0.add(w0s3.mul(xB3));
        ShortVector w1s3 = w1.lanewise(LSHR, 12);
        accA1 = accA1.add(w1s3.mul(xA3));
        accB1 = accB1.add(w1s3.mul(xB3));
        ShortVector v0 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, at + Int4Tile.GROUP_BYTES, LITTLE_ENDIAN);
        ShortVector v1 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, at + Int4Tile.GROUP_BYTES + 32, LITTLE_ENDIAN);
        ShortVector xA4 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsA + 4]).reinterpretAsShorts();
        ShortVector xB4 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsB + 4]).reinterpretAsShorts();
        accA0 = accA0.add(v0.mul(xA4));
        accB0 = accB0.add(v0.mul(xB4));
        accA1 = accA1.add(v1.mul(xA4));
        accB1 = accB1.add(v1.mul(xB4));
        ShortVector xA5 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsA + 5]).reinterpretAsShorts();
        ShortVector xB5 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsB + 5]).reinterpretAsShorts();
        ShortVector v0s1 = v0.lanewise(LSHR, 4);
        accA0 = accA0.add(v0s1.mul(xA5));
        accB0 = accB0.add(v0s1.mul(xB5));
        ShortVector v1s1 = v1.lanewise(LSHR, 4);
        accA1 = accA1.add(v1s1.mul(xA5));
        accB1 = accB1.add(v1s1.mul(xB5));
        ShortVector xA6 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsA + 6]).reinterpretAsShorts();
        ShortVector xB6 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsB + 6]).reinterpretAsShorts();
        ShortVector v0s2 = v0.lanewise(LSHR, 8);
        accA0 = accA0.add(v0s2.mul(xA6));
        accB0 = accB0.add(v0s2.mul(xB6));
        ShortVector v1s2 = v1.lanewise(LSHR, 8);
        accA1 = accA1.add(v1s2.mul(xA6));
        accB1 = accB1.add(v1s2.mul(xB6));
        ShortVector xA7 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsA + 7]).reinterpretAsShorts();
        ShortVector xB7 = FloatVector.broadcast(Lanes256.FLOATS, steps[stepsB + 7]).reinterpretAsShorts();
        ShortVector v0s3 = v0.lanewise(LSHR, 12);
        accA0 = accA0.add(v0s3.mul(xA7));
        accB0 = accB0.add(v0s3.mul(xB7));
        ShortVector v1s3 = v1.lanewise(LSHR, 12);
        accA1 = accA1.add(v1s3.mul(xA7));
        accB1 = accB1.add(v1s3.mul(xB7));
        at += 2 * Int4Tile.GROUP_BYTES;
        stepsA += 8;
        stepsB += 8;
      }
      float scaleA = scales[blockA + b];
      float scaleB = scales[blockB + b];
      FloatVector s0 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tile, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      IntVector intA0 = accA0.reinterpretAsInts();
      sumA0 = ((FloatVector) intA0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intA0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(s0.mul(scaleA), sumA0);
      IntVector intB0 = accB0.reinterpretAsInts();
      sumB0 = ((FloatVector) intB0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intB0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(s0.mul(scaleB), sumB0);
      FloatVector s1 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tile + 16, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      IntVector intA1 = accA1.reinterpretAsInts();
      sumA1 = ((FloatVector) intA1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intA1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(s1.mul(scaleA), sumA1);
      IntVector intB1 = accB1.reinterpretAsInts();
      sumB1 = ((FloatVector) intB1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intB1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(s1.mul(scaleB), sumB1);
      tile += Int4Tile.BLOCK_BYTES;
    }
    sumA0.intoArray(out, outA);
    sumA1.intoArray(out, outA + 8);
    sumB0.intoArray(out, outB);
    sumB1.intoArray(out, outB + 8);
  }
}
