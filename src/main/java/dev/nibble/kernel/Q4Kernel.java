package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * INT4 × INT8 products in the layout of {@link Q4Matrix}. Expressions are written out in each method: a helper that takes or returns
 * vectors would box them in a native image. Products are added in 16 bits, 16 at a time (16 × 15 × 127 = 30480 fits), then
 * widened; bit tricks: a pair of shorts is an int, so its even lanes are {@code << 16 >> 16} and its odd ones {@code >> 16}.
 */
final class Q4Kernel {
  /** Sign, exponent and fraction of a binary16 moved to a binary32's place; its exponent is then too small by 112. */
  private static final int HALF_BITS = 0x8fffe000;
  private static final float HALF_SCALE = 0x1p112f;

  private Q4Kernel() {}

  /** One vector times two tiles, which share the broadcasts. */
  static void multiply(
      MemorySegment weights, long tileA, long tileB, int blocks, short[] x, int xAt, float[] scales, int[] sums, int blockAt,
      float[] out, int outA, int outB) {
    FloatVector sumA0 = FloatVector.zero(Lanes.FLOATS);
    FloatVector sumA1 = FloatVector.zero(Lanes.FLOATS);
    FloatVector sumB0 = FloatVector.zero(Lanes.FLOATS);
    FloatVector sumB1 = FloatVector.zero(Lanes.FLOATS);
    for (int b = 0; b < blocks; b++) {
      ShortVector a0 = ShortVector.zero(Lanes.SHORTS);
      ShortVector b0 = ShortVector.zero(Lanes.SHORTS);
      for (int j = 0; j < 4; j++) {
        ShortVector x0 = ShortVector.broadcast(Lanes.SHORTS, x[xAt + 4 * j]);
        ShortVector x1 = ShortVector.broadcast(Lanes.SHORTS, x[xAt + 4 * j + 1]);
        ShortVector x2 = ShortVector.broadcast(Lanes.SHORTS, x[xAt + 4 * j + 2]);
        ShortVector x3 = ShortVector.broadcast(Lanes.SHORTS, x[xAt + 4 * j + 3]);
        ShortVector a = ShortVector.fromMemorySegment(Lanes.SHORTS, weights, tileA + 32 + 32L * j, LITTLE_ENDIAN);
        a0 = a0.add(a.and((short) 15).mul(x0)).add(a.lanewise(LSHR, 4).and((short) 15).mul(x1))
            .add(a.lanewise(LSHR, 8).and((short) 15).mul(x2)).add(a.lanewise(LSHR, 12).mul(x3));
        ShortVector w = ShortVector.fromMemorySegment(Lanes.SHORTS, weights, tileB + 32 + 32L * j, LITTLE_ENDIAN);
        b0 = b0.add(w.and((short) 15).mul(x0)).add(w.lanewise(LSHR, 4).and((short) 15).mul(x1))
            .add(w.lanewise(LSHR, 8).and((short) 15).mul(x2)).add(w.lanewise(LSHR, 12).mul(x3));
      }
      ShortVector a1 = ShortVector.zero(Lanes.SHORTS);
      ShortVector b1 = ShortVector.zero(Lanes.SHORTS);
      for (int j = 4; j < 8; j++) {
        ShortVector x0 = ShortVector.broadcast(Lanes.SHORTS, x[xAt + 4 * j]);
        ShortVector x1 = ShortVector.broadcast(Lanes.SHORTS, x[xAt + 4 * j + 1]);
        ShortVector x2 = ShortVector.broadcast(Lanes.SHORTS, x[xAt + 4 * j + 2]);
        ShortVector x3 = ShortVector.broadcast(Lanes.SHORTS, x[xAt + 4 * j + 3]);
        ShortVector a = ShortVector.fromMemorySegment(Lanes.SHORTS, weights, tileA + 32 + 32L * j, LITTLE_ENDIAN);
        a1 = a1.add(a.and((short) 15).mul(x0)).add(a.lanewise(LSHR, 4).and((short) 15).mul(x1))
            .add(a.lanewise(LSHR, 8).and((short) 15).mul(x2)).add(a.lanewise(LSHR, 12).mul(x3));
        ShortVector w = ShortVector.fromMemorySegment(Lanes.SHORTS, weights, tileB + 32 + 32L * j, LITTLE_ENDIAN);
        b1 = b1.add(w.and((short) 15).mul(x0)).add(w.lanewise(LSHR, 4).and((short) 15).mul(x1))
            .add(w.lanewise(LSHR, 8).and((short) 15).mul(x2)).add(w.lanewise(LSHR, 12).mul(x3));
      }
      int offset = 8 * sums[blockAt + b];
      float scale = scales[blockAt + b];
      IntVector firstA = a0.reinterpretAsInts();
      IntVector secondA = a1.reinterpretAsInts();
      IntVector halvesA = IntVector.fromMemorySegment(Lanes.INTS, weights, tileA, LITTLE_ENDIAN);
      sumA0 = ((FloatVector) firstA.lanewise(LSHL, 16).lanewise(ASHR, 16).add(secondA.lanewise(LSHL, 16).lanewise(ASHR, 16)).sub(offset).convert(I2F, 0))
          .fma(halvesA.lanewise(LSHL, 16).lanewise(ASHR, 3).and(HALF_BITS).reinterpretAsFloats().mul(HALF_SCALE).mul(scale), sumA0);
      sumA1 = ((FloatVector) firstA.lanewise(ASHR, 16).add(secondA.lanewise(ASHR, 16)).sub(offset).convert(I2F, 0))
          .fma(halvesA.lanewise(ASHR, 3).and(HALF_BITS).reinterpretAsFloats().mul(HALF_SCALE).mul(scale), sumA1);
      IntVector firstB = b0.reinterpretAsInts();
      IntVector secondB = b1.reinterpretAsInts();
      IntVector halvesB = IntVector.fromMemorySegment(Lanes.INTS, weights, tileB, LITTLE_ENDIAN);
      sumB0 = ((FloatVector) firstB.lanewise(LSHL, 16).lanewise(ASHR, 16).add(secondB.lanewise(LSHL, 16).lanewise(ASHR, 16)).sub(offset).convert(I2F, 0))
          .fma(halvesB.lanewise(LSHL, 16).lanewise(ASHR, 3).and(HALF_BITS).reinterpretAsFloats().mul(HALF_SCALE).mul(scale), sumB0);
      sumB1 = ((FloatVector) firstB.lanewise(ASHR, 16).add(secondB.lanewise(ASHR, 16)).sub(offset).convert(I2F, 0))
          .fma(halvesB.lanewise(ASHR, 3).and(HALF_BITS).reinterpretAsFloats().mul(HALF_SCALE).mul(scale), sumB1);
      tileA += Q4Matrix.BLOCK_BYTES;
      tileB += Q4Matrix.BLOCK_BYTES;
      xAt += Activations.BLOCK;
    }
    sumA0.intoArray(out, outA);
    sumA1.intoArray(out, outA + 8);
    sumB0.intoArray(out, outB);
    sumB1.intoArray(out, outB + 8);
  }

  /** Writes each input 16 times, so that {@link #accumulate} loads what it would else have to broadcast for each tile. */
  static void broadcast(short[] x, int from, int count, short[] out, int to) {
    for (int i = 0; i < count; i++) {
      ShortVector.broadcast(Lanes.SHORTS, x[from + i]).intoArray(out, to + 16 * i);
    }
  }

  /** Adds some blocks' products of one tile with two vectors to what {@code out} holds; nibbles are taken apart once for both. */
  static void accumulate(
      MemorySegment weights, long tile, int blocks, short[] x, int second, float[] scales, int[] sums, int blockA, int blockB,
      float[] out, int outA, int outB) {
    FloatVector sumA0 = FloatVector.fromArray(Lanes.FLOATS, out, outA);
    FloatVector sumA1 = FloatVector.fromArray(Lanes.FLOATS, out, outA + 8);
    FloatVector sumB0 = FloatVector.fromArray(Lanes.FLOATS, out, outB);
    FloatVector sumB1 = FloatVector.fromArray(Lanes.FLOATS, out, outB + 8);
    int at = 0;
    for (int b = 0; b < blocks; b++) {
      ShortVector a0 = ShortVector.zero(Lanes.SHORTS);
      ShortVector b0 = ShortVector.zero(Lanes.SHORTS);
      for (int j = 0; j < 4; j++) {
        ShortVector w = ShortVector.fromMemorySegment(Lanes.SHORTS, weights, tile + 32 + 32L * j, LITTLE_ENDIAN);
        ShortVector n0 = w.and((short) 15);
        a0 = a0.add(n0.mul(ShortVector.fromArray(Lanes.SHORTS, x, at)));
        b0 = b0.add(n0.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + second)));
        ShortVector n1 = w.lanewise(LSHR, 4).and((short) 15);
        a0 = a0.add(n1.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + 16)));
        b0 = b0.add(n1.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + second + 16)));
        ShortVector n2 = w.lanewise(LSHR, 8).and((short) 15);
        a0 = a0.add(n2.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + 32)));
        b0 = b0.add(n2.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + second + 32)));
        ShortVector n3 = w.lanewise(LSHR, 12);
        a0 = a0.add(n3.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + 48)));
        b0 = b0.add(n3.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + second + 48)));
        at += 64;
      }
      ShortVector a1 = ShortVector.zero(Lanes.SHORTS);
      ShortVector b1 = ShortVector.zero(Lanes.SHORTS);
      for (int j = 4; j < 8; j++) {
        ShortVector w = ShortVector.fromMemorySegment(Lanes.SHORTS, weights, tile + 32 + 32L * j, LITTLE_ENDIAN);
        ShortVector n0 = w.and((short) 15);
        a1 = a1.add(n0.mul(ShortVector.fromArray(Lanes.SHORTS, x, at)));
        b1 = b1.add(n0.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + second)));
        ShortVector n1 = w.lanewise(LSHR, 4).and((short) 15);
        a1 = a1.add(n1.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + 16)));
        b1 = b1.add(n1.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + second + 16)));
        ShortVector n2 = w.lanewise(LSHR, 8).and((short) 15);
        a1 = a1.add(n2.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + 32)));
        b1 = b1.add(n2.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + second + 32)));
        ShortVector n3 = w.lanewise(LSHR, 12);
        a1 = a1.add(n3.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + 48)));
        b1 = b1.add(n3.mul(ShortVector.fromArray(Lanes.SHORTS, x, at + second + 48)));
        at += 64;
      }
      IntVector halves = IntVector.fromMemorySegment(Lanes.INTS, weights, tile, LITTLE_ENDIAN);
      FloatVector scale0 = halves.lanewise(LSHL, 16).lanewise(ASHR, 3).and(HALF_BITS).reinterpretAsFloats().mul(HALF_SCALE);
      FloatVector scale1 = halves.lanewise(ASHR, 3).and(HALF_BITS).reinterpretAsFloats().mul(HALF_SCALE);
      IntVector firstA = a0.reinterpretAsInts();
      IntVector secondA = a1.reinterpretAsInts();
      int offsetA = 8 * sums[blockA + b];
      float scaleA = scales[blockA + b];
      sumA0 = ((FloatVector) firstA.lanewise(LSHL, 16).lanewise(ASHR, 16).add(secondA.lanewise(LSHL, 16).lanewise(ASHR, 16)).sub(offsetA).convert(I2F, 0))
          .fma(scale0.mul(scaleA), sumA0);
      sumA1 = ((FloatVector) firstA.lanewise(ASHR, 16).add(secondA.lanewise(ASHR, 16)).sub(offsetA).convert(I2F, 0)).fma(scale1.mul(scaleA), sumA1);
      IntVector firstB = b0.reinterpretAsInts();
      IntVector secondB = b1.reinterpretAsInts();
      int offsetB = 8 * sums[blockB + b];
      float scaleB = scales[blockB + b];
      sumB0 = ((FloatVector) firstB.lanewise(LSHL, 16).lanewise(ASHR, 16).add(secondB.lanewise(LSHL, 16).lanewise(ASHR, 16)).sub(offsetB).convert(I2F, 0))
          .fma(scale0.mul(scaleB), sumB0);
      sumB1 = ((FloatVector) firstB.lanewise(ASHR, 16).add(secondB.lanewise(ASHR, 16)).sub(offsetB).convert(I2F, 0)).fma(scale1.mul(scaleB), sumB1);
      tile += Q4Matrix.BLOCK_BYTES;
    }
    sumA0.intoArray(out, outA);
    sumA1.intoArray(out, outA + 8);
    sumB0.intoArray(out, outB);
    sumB1.intoArray(out, outB + 8);
  }
}
