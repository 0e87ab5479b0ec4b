package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.B2I;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.S2I;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * Products of the 8-bit and 6-bit weights of {@link Int8Matrix} with INT8 inputs, by vectors of 128 bits. Of 8-bit weights two products fit into
 * 16 bits (2 × 128 × 127 = 32512), so each pair is widened; of 6-bit ones eight do (8 × 32 × 127 = 32512): half of a group of 16.
 */
final class Int8Kernel128 {
  private Int8Kernel128() {}

  /** One vector times one tile of 8-bit weights. */
  static void eight(
      MemorySegment weights, long tile, int blocks, float[] pairs, int pairsAt, float[] scales, int block, float[] out, int outAt) {
    FloatVector sum0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum1 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum2 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum3 = FloatVector.zero(Lanes128.FLOATS);
    for (int b = 0; b < blocks; b++) {
      FloatVector s0 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, weights, tile, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector s1 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, weights, tile + 8, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector s2 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, weights, tile + 16, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector s3 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, weights, tile + 24, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      IntVector acc0 = IntVector.zero(Lanes128.INTS);
      IntVector acc1 = IntVector.zero(Lanes128.INTS);
      IntVector acc2 = IntVector.zero(Lanes128.INTS);
      IntVector acc3 = IntVector.zero(Lanes128.INTS);
      long at = tile + Int8Matrix.SCALE_BYTES;
      for (int j = 0; j < 2 * Int8Matrix.GROUP_VECTORS; j++) {
        ShortVector x0 = FloatVector.broadcast(Lanes128.FLOATS, pairs[pairsAt]).reinterpretAsShorts();
        ShortVector x1 = FloatVector.broadcast(Lanes128.FLOATS, pairs[pairsAt + 1]).reinterpretAsShorts();
        ShortVector w0 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at, LITTLE_ENDIAN);
        ShortVector low0 = w0.lanewise(LSHL, 8).lanewise(ASHR, 8);
        ShortVector high0 = w0.lanewise(ASHR, 8);
        IntVector two0 = low0.mul(x0).add(high0.mul(x1)).reinterpretAsInts();
        acc0 = acc0.add(two0.lanewise(LSHL, 16).lanewise(ASHR, 16)).add(two0.lanewise(ASHR, 16));
        ShortVector w1 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at + 16, LITTLE_ENDIAN);
        ShortVector low1 = w1.lanewise(LSHL, 8).lanewise(ASHR, 8);
        ShortVector high1 = w1.lanewise(ASHR, 8);
        IntVector two1 = low1.mul(x0).add(high1.mul(x1)).reinterpretAsInts();
        acc1 = acc1.add(two1.lanewise(LSHL, 16).lanewise(ASHR, 16)).add(two1.lanewise(ASHR, 16));
        ShortVector w2 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at + 32, LITTLE_ENDIAN);
        ShortVector low2 = w2.lanewise(LSHL, 8).lanewise(ASHR, 8);
        ShortVector high2 = w2.lanewise(ASHR, 8);
        IntVector two2 = low2.mul(x0).add(high2.mul(x1)).reinterpretAsInts();
        acc2 = acc2.add(two2.lanewise(LSHL, 16).lanewise(ASHR, 16)).add(two2.lanewise(ASHR, 16));
        ShortVector w3 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at + 48, LITTLE_ENDIAN);
        ShortVector low3 = w3.lanewise(LSHL, 8).lanewise(ASHR, 8);
        ShortVector high3 = w3.lanewise(ASHR, 8);
        IntVector two3 = low3.mul(x0).add(high3.mul(x1)).reinterpretAsInts();
        acc3 = acc3.add(two3.lanewise(LSHL, 16).lanewise(ASHR, 16)).add(two3.lanewise(ASHR, 16));
        at += Int8Matrix.VECTOR_BYTES;
        pairsAt += 2;
      }
      sum0 = ((FloatVector) acc0.convert(I2F, 0)).fma(s0.mul(scales[block + b]), sum0);
      sum1 = ((FloatVector) acc1.convert(I2F, 0)).fma(s1.mul(scales[block + b]), sum1);
      sum2 = ((FloatVector) acc2.convert(I2F, 0)).fma(s2.mul(scales[block + b]), sum2);
      sum3 = ((FloatVector) acc3.convert(I2F, 0)).fma(s3.mul(scales[block + b]), sum3);
      tile += Int8Matrix.EIGHT_BIT_BLOCK_BYTES;
    }
    sum0.intoArray(out, outAt);
    sum1.intoArray(out, outAt + 4);
    sum2.intoArray(out, outAt + 8);
    sum3.intoArray(out, outAt + 12);
  }

  /** One vector times one tile of 6-bit weights. */
  static void six(
      MemorySegment weights, long tile, int blocks, float[] pairs, int pairsAt, float[] scales, int[] offsets, int block, float[] out, int outAt) {
    FloatVector sum0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum1 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum2 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum3 = FloatVector.zero(Lanes128.FLOATS);
    for (int b = 0; b < blocks; b++) {
      FloatVector s0 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, weights, tile, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector s1 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, weights, tile + 8, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector s2 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, weights, tile + 16, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector s3 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, weights, tile + 24, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      for (int group = 0; group < 2; group++) {
        long at = tile + Int8Matrix.SIX_BIT_SCALE_BYTES + (long) group * Int8Matrix.GROUP_BYTES;
        ShortVector acc0 = IntVector.broadcast(Lanes128.INTS, offsets[2 * (block + b) + group]).reinterpretAsShorts();
        ShortVector acc1 = acc0;
        ShortVector acc2 = acc0;
        ShortVector acc3 = acc0;
        for (int j = 0; j < Int8Matrix.GROUP_VECTORS; j++) {
          ShortVector x0 = FloatVector.broadcast(Lanes128.FLOATS, pairs[pairsAt]).reinterpretAsShorts();
          ShortVector x1 = FloatVector.broadcast(Lanes128.FLOATS, pairs[pairsAt + 1]).reinterpretAsShorts();
          ShortVector w0 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at, LITTLE_ENDIAN);
          ShortVector low0 = w0.and((short) 0xff);
          ShortVector high0 = w0.lanewise(LSHR, 8);
          acc0 = acc0.add(low0.mul(x0)).add(high0.mul(x1));
          ShortVector w1 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at + 16, LITTLE_ENDIAN);
          ShortVector low1 = w1.and((short) 0xff);
          ShortVector high1 = w1.lanewise(LSHR, 8);
          acc1 = acc1.add(low1.mul(x0)).add(high1.mul(x1));
          ShortVector w2 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at + 32, LITTLE_ENDIAN);
          ShortVector low2 = w2.and((short) 0xff);
          ShortVector high2 = w2.lanewise(LSHR, 8);
          acc2 = acc2.add(low2.mul(x0)).add(high2.mul(x1));
          ShortVector w3 = ShortVector.fromMemorySegment(Lanes128.SHORTS, weights, at + 48, LITTLE_ENDIAN);
          ShortVector low3 = w3.and((short) 0xff);
          ShortVector high3 = w3.lanewise(LSHR, 8);
          acc3 = acc3.add(low3.mul(x0)).add(high3.mul(x1));
          at += Int8Matrix.VECTOR_BYTES;
          pairsAt += 2;
        }
        FloatVector sub0 = s0.mul((FloatVector) ((IntVector) ByteVector.fromMemorySegment(Lanes128.BYTES, weights, tile + Int8Matrix.SCALE_BYTES + 16 * group + 0, LITTLE_ENDIAN)
            .convertShape(B2I, Lanes128.INTS, 0)).convert(I2F, 0));
        IntVector int0 = acc0.reinterpretAsInts();
        sum0 = ((FloatVector) int0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(int0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sub0.mul(scales[block + b]), sum0);
        FloatVector sub1 = s1.mul((FloatVector) ((IntVector) ByteVector.fromMemorySegment(Lanes128.BYTES, weights, tile + Int8Matrix.SCALE_BYTES + 16 * group + 4, LITTLE_ENDIAN)
            .convertShape(B2I, Lanes128.INTS, 0)).convert(I2F, 0));
        IntVector int1 = acc1.reinterpretAsInts();
        sum1 = ((FloatVector) int1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(int1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sub1.mul(scales[block + b]), sum1);
        FloatVector sub2 = s2.mul((FloatVector) ((IntVector) ByteVector.fromMemorySegment(Lanes128.BYTES, weights, tile + Int8Matrix.SCALE_BYTES + 16 * group + 8, LITTLE_ENDIAN)
            .convertShape(B2I, Lanes128.INTS, 0)).convert(I2F, 0));
        IntVector int2 = acc2.reinterpretAsInts();
        sum2 = ((FloatVector) int2.lanewise(LSHL, 16).lanewise(ASHR, 16).add(int2.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sub2.mul(scales[block + b]), sum2);
        FloatVector sub3 = s3.mul((FloatVector) ((IntVector) ByteVector.fromMemorySegment(Lanes128.BYTES, weights, tile + Int8Matrix.SCALE_BYTES + 16 * group + 12, LITTLE_ENDIAN)
            .convertShape(B2I, Lanes128.INTS, 0)).convert(I2F, 0));
        IntVector int3 = acc3.reinterpretAsInts();
        sum3 = ((FloatVector) int3.lanewise(LSHL, 16).lanewise(ASHR, 16).add(int3.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sub3.mul(scales[block + b]), sum3);
      }
      tile += Int8Matrix.SIX_BIT_BLOCK_BYTES;
    }
    sum0.intoArray(out, outAt);
    sum1.intoArray(out, outAt + 4);
    sum2.intoArray(out, outAt + 8);
    sum3.intoArray(out, outAt + 12);
  }
}
