package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * INT8 × INT8 products in the layout of {@link Int8Matrix}. Two products fit into 16 bits (2 × 128 × 127 = 32512); each pair is widened to 32.
 */
final class Int8Kernel {
  private Int8Kernel() {}

  /** One vector times one tile. */
  static void multiply(
      MemorySegment weights, long tile, int blocks, int groups, short[] x, int xAt, float[] scales, int blockAt, float[] out, int outAt) {
    FloatVector sum0 = FloatVector.zero(Lanes.FLOATS);
    FloatVector sum1 = FloatVector.zero(Lanes.FLOATS);
    int vectors = Int8Matrix.VECTORS / groups;
    for (int b = 0; b < blocks; b++) {
      long scaleAt = tile;
      long at = tile + (long) groups * Int8Matrix.SCALE_BYTES;
      float scale = scales[blockAt + b];
      for (int g = 0; g < groups; g++) {
        IntVector even = IntVector.zero(Lanes.INTS);
        IntVector odd = IntVector.zero(Lanes.INTS);
        for (int j = 0; j < vectors; j++) {
          ShortVector w = ShortVector.fromMemorySegment(Lanes.SHORTS, weights, at, LITTLE_ENDIAN);
          IntVector pair = w.lanewise(LSHL, 8).lanewise(ASHR, 8).mul(ShortVector.broadcast(Lanes.SHORTS, x[xAt]))
              .add(w.lanewise(ASHR, 8).mul(ShortVector.broadcast(Lanes.SHORTS, x[xAt + 1]))).reinterpretAsInts();
          even = even.add(pair.lanewise(LSHL, 16).lanewise(ASHR, 16));
          odd = odd.add(pair.lanewise(ASHR, 16));
          at += 32;
          xAt += 2;
        }
        FloatVector scale0 = FloatVector.fromMemorySegment(Lanes.FLOATS, weights, scaleAt, LITTLE_ENDIAN);
        FloatVector scale1 = FloatVector.fromMemorySegment(Lanes.FLOATS, weights, scaleAt + 32, LITTLE_ENDIAN);
        sum0 = ((FloatVector) even.convert(I2F, 0)).fma(scale0.mul(scale), sum0);
        sum1 = ((FloatVector) odd.convert(I2F, 0)).fma(scale1.mul(scale), sum1);
        scaleAt += Int8Matrix.SCALE_BYTES;
      }
      tile = at;
    }
    sum0.intoArray(out, outAt);
    sum1.intoArray(out, outAt + 8);
  }

  /** Two vectors times one tile; bytes are taken apart once for both. */
  static void multiply(
      MemorySegment weights, long tile, int blocks, int groups, short[] x, int xA, int xB, float[] scales, int blockA, int blockB,
      float[] out, int outA, int outB) {
    FloatVector sumA0 = FloatVector.zero(Lanes.FLOATS);
    FloatVector sumA1 = FloatVector.zero(Lanes.FLOATS);
    FloatVector sumB0 = FloatVector.zero(Lanes.FLOATS);
    FloatVector sumB1 = FloatVector.zero(Lanes.FLOATS);
    int vectors = Int8Matrix.VECTORS / groups;
    for (int b = 0; b < blocks; b++) {
      long scaleAt = tile;
      long at = tile + (long) groups * Int8Matrix.SCALE_BYTES;
      for (int g = 0; g < groups; g++) {
        IntVector evenA = IntVector.zero(Lanes.INTS);
        IntVector oddA = IntVector.zero(Lanes.INTS);
        IntVector evenB = IntVector.zero(Lanes.INTS);
        IntVector oddB = IntVector.zero(Lanes.INTS);
        for (int j = 0; j < vectors; j++) {
          ShortVector w = ShortVector.fromMemorySegment(Lanes.SHORTS, weights, at, LITTLE_ENDIAN);
          ShortVector low = w.lanewise(LSHL, 8).lanewise(ASHR, 8);
          ShortVector high = w.lanewise(ASHR, 8);
          IntVector pairA = low.mul(ShortVector.broadcast(Lanes.SHORTS, x[xA]))
              .add(high.mul(ShortVector.broadcast(Lanes.SHORTS, x[xA + 1]))).reinterpretAsInts();
          evenA = evenA.add(pairA.lanewise(LSHL, 16).lanewise(ASHR, 16));
          oddA = oddA.add(pairA.lanewise(ASHR, 16));
          IntVector pairB = low.mul(ShortVector.broadcast(Lanes.SHORTS, x[xB]))
              .add(high.mul(ShortVector.broadcast(Lanes.SHORTS, x[xB + 1]))).reinterpretAsInts();
          evenB = evenB.add(pairB.lanewise(LSHL, 16).lanewise(ASHR, 16));
          oddB = oddB.add(pairB.lanewise(ASHR, 16));
          at += 32;
          xA += 2;
          xB += 2;
        }
        FloatVector scale0 = FloatVector.fromMemorySegment(Lanes.FLOATS, weights, scaleAt, LITTLE_ENDIAN);
        FloatVector scale1 = FloatVector.fromMemorySegment(Lanes.FLOATS, weights, scaleAt + 32, LITTLE_ENDIAN);
        float scaleA = scales[blockA + b];
        float scaleB = scales[blockB + b];
        sumA0 = ((FloatVector) evenA.convert(I2F, 0)).fma(scale0.mul(scaleA), sumA0);
        sumA1 = ((FloatVector) oddA.convert(I2F, 0)).fma(scale1.mul(scaleA), sumA1);
        sumB0 = ((FloatVector) evenB.convert(I2F, 0)).fma(scale0.mul(scaleB), sumB0);
        sumB1 = ((FloatVector) oddB.convert(I2F, 0)).fma(scale1.mul(scaleB), sumB1);
        scaleAt += Int8Matrix.SCALE_BYTES;
      }
      tile = at;
    }
    sumA0.intoArray(out, outA);
    sumA1.intoArray(out, outA + 8);
    sumB0.intoArray(out, outB);
    sumB1.intoArray(out, outB + 8);
  }
}
