// Printed from src/main/templates/kernel/Int8Kernel.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.B2I;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.S2I;

import dev.nibble.kernel.tile.Int8Tile;
import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.tensor.Half;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * Products of the 8-bit and 6-bit weights of {@link Int8Tile} with INT8 inputs, by vectors of 256 bits. Of 8-bit weights two products fit into
 * 16 bits (2 × 128 × 127 = 32512), so each pair is widened; of 6-bit ones eight do (8 × 32 × 127 = 32512): half of a group of 16.
 */
final class Int8Kernel256 {
  private Int8Kernel256() {}

  /** One vector times two tiles of 8-bit weights, which may be the same: two streams of weights. */
  static void eight(
      MemorySegment weights, long tileA, long tileB, int blocks, float[] pairs, int pairsAt, float[] scales, int block,
      float[] out, int outA, int outB) {
    FloatVector sumA0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumA1 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB1 = FloatVector.zero(Lanes256.FLOATS);
    for (int b = 0; b < blocks; b++) {
      float scale = scales[block + b];
      FloatVector sA0 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileA, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector sA1 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileA + 16, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector sB0 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileB, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector sB1 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileB + 16, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      IntVector accA0 = IntVector.zero(Lanes256.INTS);
      IntVector accA1 = IntVector.zero(Lanes256.INTS);
      IntVector accB0 = IntVector.zero(Lanes256.INTS);
      IntVector accB1 = IntVector.zero(Lanes256.INTS);
      long atA = tileA + Int8Tile.SCALE_BYTES;
      long atB = tileB + Int8Tile.SCALE_BYTES;
      for (int j = 0; j < 2 * Int8Tile.GROUP_VECTORS; j++) {
        ShortVector x0 = FloatVector.broadcast(Lanes256.FLOATS, pairs[pairsAt]).reinterpretAsShorts();
        ShortVector x1 = FloatVector.broadcast(Lanes256.FLOATS, pairs[pairsAt + 1]).reinterpretAsShorts();
        ShortVector wA0 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atA, LITTLE_ENDIAN);
        IntVector twoA0 = wA0.lanewise(LSHL, 8).lanewise(ASHR, 8).mul(x0).add(wA0.lanewise(ASHR, 8).mul(x1)).reinterpretAsInts();
        accA0 = accA0.add(twoA0.lanewise(LSHL, 16).lanewise(ASHR, 16)).add(twoA0.lanewise(ASHR, 16));
        ShortVector wA1 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atA + 32, LITTLE_ENDIAN);
        IntVector twoA1 = wA1.lanewise(LSHL, 8).lanewise(ASHR, 8).mul(x0).add(wA1.lanewise(ASHR, 8).mul(x1)).reinterpretAsInts();
        accA1 = accA1.add(twoA1.lanewise(LSHL, 16).lanewise(ASHR, 16)).add(twoA1.lanewise(ASHR, 16));
        ShortVector wB0 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atB, LITTLE_ENDIAN);
        IntVector twoB0 = wB0.lanewise(LSHL, 8).lanewise(ASHR, 8).mul(x0).add(wB0.lanewise(ASHR, 8).mul(x1)).reinterpretAsInts();
        accB0 = accB0.add(twoB0.lanewise(LSHL, 16).lanewise(ASHR, 16)).add(twoB0.lanewise(ASHR, 16));
        ShortVector wB1 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atB + 32, LITTLE_ENDIAN);
        IntVector twoB1 = wB1.lanewise(LSHL, 8).lanewise(ASHR, 8).mul(x0).add(wB1.lanewise(ASHR, 8).mul(x1)).reinterpretAsInts();
        accB1 = accB1.add(twoB1.lanewise(LSHL, 16).lanewise(ASHR, 16)).add(twoB1.lanewise(ASHR, 16));
        atA += Int8Tile.VECTOR_BYTES;
        atB += Int8Tile.VECTOR_BYTES;
        pairsAt += 2;
      }
      sumA0 = ((FloatVector) accA0.convert(I2F, 0)).fma(sA0.mul(scale), sumA0);
      sumA1 = ((FloatVector) accA1.convert(I2F, 0)).fma(sA1.mul(scale), sumA1);
      sumB0 = ((FloatVector) accB0.convert(I2F, 0)).fma(sB0.mul(scale), sumB0);
      sumB1 = ((FloatVector) accB1.convert(I2F, 0)).fma(sB1.mul(scale), sumB1);
      tileA += Int8Tile.EIGHT_BIT_BLOCK_BYTES;
      tileB += Int8Tile.EIGHT_BIT_BLOCK_BYTES;
    }
    sumA0.intoArray(out, outA);
    sumA1.intoArray(out, outA + 8);
    sumB0.intoArray(out, outB);
    sumB1.intoArray(out, outB + 8);
  }

  /** Two vectors times one tile of 8-bit weights, which are loaded and taken apart once for both. */
  static void eightTwo(
      MemorySegment weights, long tile, int blocks, float[] pairs, int pairsA, int pairsB, float[] scales, int blockA, int blockB,
      float[] out, int outA, int outB) {
    FloatVector sumA0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumA1 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB1 = FloatVector.zero(Lanes256.FLOATS);
    for (int b = 0; b < blocks; b++) {
      FloatVector s0 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tile, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector s1 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tile + 16, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      IntVector accA0 = IntVector.zero(Lanes256.INTS);
      IntVector accA1 = IntVector.zero(Lanes256.INTS);
      IntVector accB0 = IntVector.zero(Lanes256.INTS);
      IntVector accB1 = IntVector.zero(Lanes256.INTS);
      long at = tile + Int8Tile.SCALE_BYTES;
      for (int j = 0; j < 2 * Int8Tile.GROUP_VECTORS; j++) {
        ShortVector xA0 = FloatVector.broadcast(Lanes256.FLOATS, pairs[pairsA]).reinterpretAsShorts();
        ShortVector xA1 = FloatVector.broadcast(Lanes256.FLOATS, pairs[pairsA + 1]).reinterpretAsShorts();
        ShortVector xB0 = FloatVector.broadcast(Lanes256.FLOATS, pairs[pairsB]).reinterpretAsShorts();
        ShortVector xB1 = FloatVector.broadcast(Lanes256.FLOATS, pairs[pairsB + 1]).reinterpretAsShorts();
        ShortVector w0 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, at, LITTLE_ENDIAN);
        ShortVector low0 = w0.lanewise(LSHL, 8).lanewise(ASHR, 8);
        ShortVector high0 = w0.lanewise(ASHR, 8);
        IntVector twoA0 = low0.mul(xA0).add(high0.mul(xA1)).reinterpretAsInts();
        accA0 = accA0.add(twoA0.lanewise(LSHL, 16).lanewise(ASHR, 16)).add(twoA0.lanewise(ASHR, 16));
        IntVector twoB0 = low0.mul(xB0).add(high0.mul(xB1)).reinterpretAsInts();
        accB0 = accB0.add(twoB0.lanewise(LSHL, 16).lanewise(ASHR, 16)).add(twoB0.lanewise(ASHR, 16));
        ShortVector w1 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, at + 32, LITTLE_ENDIAN);
        ShortVector low1 = w1.lanewise(LSHL, 8).lanewise(ASHR, 8);
        ShortVector high1 = w1.lanewise(ASHR, 8);
        IntVector twoA1 = low1.mul(xA0).add(high1.mul(xA1)).reinterpretAsInts();
        accA1 = accA1.add(twoA1.lanewise(LSHL, 16).lanewise(ASHR, 16)).add(twoA1.lanewise(ASHR, 16));
        IntVector twoB1 = low1.mul(xB0).add(high1.mul(xB1)).reinterpretAsInts();
        accB1 = accB1.add(twoB1.lanewise(LSHL, 16).lanewise(ASHR, 16)).add(twoB1.lanewise(ASHR, 16));
        at += Int8Tile.VECTOR_BYTES;
        pairsA += 2;
        pairsB += 2;
      }
      sumA0 = ((FloatVector) accA0.convert(I2F, 0)).fma(s0.mul(scales[blockA + b]), sumA0);
      sumA1 = ((FloatVector) accA1.convert(I2F, 0)).fma(s1.mul(scales[blockA + b]), sumA1);
      sumB0 = ((FloatVector) accB0.convert(I2F, 0)).fma(s0.mul(scales[blockB + b]), sumB0);
      sumB1 = ((FloatVector) accB1.convert(I2F, 0)).fma(s1.mul(scales[blockB + b]), sumB1);
      tile += Int8Tile.EIGHT_BIT_BLOCK_BYTES;
    }
    sumA0.intoArray(out, outA);
    sumA1.intoArray(out, outA + 8);
    sumB0.intoArray(out, outB);
    sumB1.intoArray(out, outB + 8);
  }

  /** One vector times two tiles of 6-bit weights, which may be the same: two streams of weights. */
  static void six(
      MemorySegment weights, long tileA, long tileB, int blocks, float[] pairs, int pairsAt, float[] scales, int[] offsets, int block,
      float[] out, int outA, int outB) {
    FloatVector sumA0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumA1 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB1 = FloatVector.zero(Lanes256.FLOATS);
    for (int b = 0; b < blocks; b++) {
      float scale = scales[block + b];
      FloatVector sA0 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileA, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector sA1 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileA + 16, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector sB0 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileB, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector sB1 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tileB + 16, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      for (int group = 0; group < 2; group++) {
        ShortVector accA0 = IntVector.broadcast(Lanes256.INTS, offsets[2 * (block + b) + group]).reinterpretAsShorts();
        ShortVector accA1 = accA0;
        ShortVector accB0 = accA0;
        ShortVector accB1 = accA0;
        long atA = tileA + Int8Tile.SIX_BIT_SCALE_BYTES + (long) group * Int8Tile.GROUP_BYTES;
        long atB = tileB + Int8Tile.SIX_BIT_SCALE_BYTES + (long) group * Int8Tile.GROUP_BYTES;
        for (int j = 0; j < Int8Tile.GROUP_VECTORS; j++) {
          ShortVector x0 = FloatVector.broadcast(Lanes256.FLOATS, pairs[pairsAt]).reinterpretAsShorts();
          ShortVector x1 = FloatVector.broadcast(Lanes256.FLOATS, pairs[pairsAt + 1]).reinterpretAsShorts();
          ShortVector wA0 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atA, LITTLE_ENDIAN);
          accA0 = accA0.add(wA0.and((short) 0xff).mul(x0)).add(wA0.lanewise(LSHR, 8).mul(x1));
          ShortVector wA1 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atA + 32, LITTLE_ENDIAN);
          accA1 = accA1.add(wA1.and((short) 0xff).mul(x0)).add(wA1.lanewise(LSHR, 8).mul(x1));
          ShortVector wB0 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atB, LITTLE_ENDIAN);
          accB0 = accB0.add(wB0.and((short) 0xff).mul(x0)).add(wB0.lanewise(LSHR, 8).mul(x1));
          ShortVector wB1 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, atB + 32, LITTLE_ENDIAN);
          accB1 = accB1.add(wB1.and((short) 0xff).mul(x0)).add(wB1.lanewise(LSHR, 8).mul(x1));
          atA += Int8Tile.VECTOR_BYTES;
          atB += Int8Tile.VECTOR_BYTES;
          pairsAt += 2;
        }
        IntVector intA0 = accA0.reinterpretAsInts();
        FloatVector subA0 = sA0.mul((FloatVector) ((IntVector) ByteVector
            .fromMemorySegment(Lanes256.BYTES, weights, tileA + Int8Tile.SCALE_BYTES + TileLayout.ROWS * group, LITTLE_ENDIAN)
            .convertShape(B2I, Lanes256.INTS, 0)).convert(I2F, 0)).mul(scale);
        sumA0 = ((FloatVector) intA0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intA0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(subA0, sumA0);
        IntVector intA1 = accA1.reinterpretAsInts();
        FloatVector subA1 = sA1.mul((FloatVector) ((IntVector) ByteVector
            .fromMemorySegment(Lanes256.BYTES, weights, tileA + Int8Tile.SCALE_BYTES + TileLayout.ROWS * group + 8, LITTLE_ENDIAN)
            .convertShape(B2I, Lanes256.INTS, 0)).convert(I2F, 0)).mul(scale);
        sumA1 = ((FloatVector) intA1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intA1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(subA1, sumA1);
        IntVector intB0 = accB0.reinterpretAsInts();
        FloatVector subB0 = sB0.mul((FloatVector) ((IntVector) ByteVector
            .fromMemorySegment(Lanes256.BYTES, weights, tileB + Int8Tile.SCALE_BYTES + TileLayout.ROWS * group, LITTLE_ENDIAN)
            .convertShape(B2I, Lanes256.INTS, 0)).convert(I2F, 0)).mul(scale);
        sumB0 = ((FloatVector) intB0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intB0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(subB0, sumB0);
        IntVector intB1 = accB1.reinterpretAsInts();
        FloatVector subB1 = sB1.mul((FloatVector) ((IntVector) ByteVector
            .fromMemorySegment(Lanes256.BYTES, weights, tileB + Int8Tile.SCALE_BYTES + TileLayout.ROWS * group + 8, LITTLE_ENDIAN)
            .convertShape(B2I, Lanes256.INTS, 0)).convert(I2F, 0)).mul(scale);
        sumB1 = ((FloatVector) intB1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intB1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(subB1, sumB1);
      }
      tileA += Int8Tile.SIX_BIT_BLOCK_BYTES;
      tileB += Int8Tile.SIX_BIT_BLOCK_BYTES;
    }
    sumA0.intoArray(out, outA);
    sumA1.intoArray(out, outA + 8);
    sumB0.intoArray(out, outB);
    sumB1.intoArray(out, outB + 8);
  }

  /** Two vectors times one tile of 6-bit weights, which are loaded and taken apart once for both. */
  static void sixTwo(
      MemorySegment weights, long tile, int blocks, float[] pairs, int pairsA, int pairsB, float[] scales, int[] offsets, int blockA, int blockB,
      float[] out, int outA, int outB) {
    FloatVector sumA0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumA1 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB0 = FloatVector.zero(Lanes256.FLOATS);
    FloatVector sumB1 = FloatVector.zero(Lanes256.FLOATS);
    for (int b = 0; b < blocks; b++) {
      FloatVector s0 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tile, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector s1 = ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, weights, tile + 16, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      for (int group = 0; group < 2; group++) {
        long at = tile + Int8Tile.SIX_BIT_SCALE_BYTES + (long) group * Int8Tile.GROUP_BYTES;
        ShortVector accA0 = IntVector.broadcast(Lanes256.INTS, offsets[2 * (blockA + b) + group]).reinterpretAsShorts();
        ShortVector accA1 = accA0;
        ShortVector accB0 = IntVector.broadcast(Lanes256.INTS, offsets[2 * (blockB + b) + group]).reinterpretAsShorts();
        ShortVector accB1 = accB0;
        for (int j = 0; j < Int8Tile.GROUP_VECTORS; j++) {
          ShortVector xA0 = FloatVector.broadcast(Lanes256.FLOATS, pairs[pairsA]).reinterpretAsShorts();
          ShortVector xA1 = FloatVector.broadcast(Lanes256.FLOATS, pairs[pairsA + 1]).reinterpretAsShorts();
          ShortVector xB0 = FloatVector.broadcast(Lanes256.FLOATS, pairs[pairsB]).reinterpretAsShorts();
          ShortVector xB1 = FloatVector.broadcast(Lanes256.FLOATS, pairs[pairsB + 1]).reinterpretAsShorts();
          ShortVector w0 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, at, LITTLE_ENDIAN);
          ShortVector low0 = w0.and((short) 0xff);
          ShortVector high0 = w0.lanewise(LSHR, 8);
          accA0 = accA0.add(low0.mul(xA0)).add(high0.mul(xA1));
          accB0 = accB0.add(low0.mul(xB0)).add(high0.mul(xB1));
          ShortVector w1 = ShortVector.fromMemorySegment(Lanes256.SHORTS, weights, at + 32, LITTLE_ENDIAN);
          ShortVector low1 = w1.and((short) 0xff);
          ShortVector high1 = w1.lanewise(LSHR, 8);
          accA1 = accA1.add(low1.mul(xA0)).add(high1.mul(xA1));
          accB1 = accB1.add(low1.mul(xB0)).add(high1.mul(xB1));
          at += Int8Tile.VECTOR_BYTES;
          pairsA += 2;
          pairsB += 2;
        }
        FloatVector sub0 = s0.mul((FloatVector) ((IntVector) ByteVector.fromMemorySegment(Lanes256.BYTES, weights, tile + Int8Tile.SCALE_BYTES + TileLayout.ROWS * group, LITTLE_ENDIAN)
            .convertShape(B2I, Lanes256.INTS, 0)).convert(I2F, 0));
        IntVector intA0 = accA0.reinterpretAsInts();
        sumA0 = ((FloatVector) intA0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intA0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sub0.mul(scales[blockA + b]), sumA0);
        IntVector intB0 = accB0.reinterpretAsInts();
        sumB0 = ((FloatVector) intB0.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intB0.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sub0.mul(scales[blockB + b]), sumB0);
        FloatVector sub1 = s1.mul((FloatVector) ((IntVector) ByteVector.fromMemorySegment(Lanes256.BYTES, weights, tile + Int8Tile.SCALE_BYTES + TileLayout.ROWS * group + 8, LITTLE_ENDIAN)
            .convertShape(B2I, Lanes256.INTS, 0)).convert(I2F, 0));
        IntVector intA1 = accA1.reinterpretAsInts();
        sumA1 = ((FloatVector) intA1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intA1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sub1.mul(scales[blockA + b]), sumA1);
        IntVector intB1 = accB1.reinterpretAsInts();
        sumB1 = ((FloatVector) intB1.lanewise(LSHL, 16).lanewise(ASHR, 16).add(intB1.lanewise(ASHR, 16)).convert(I2F, 0)).fma(sub1.mul(scales[blockB + b]), sumB1);
      }
      tile += Int8Tile.SIX_BIT_BLOCK_BYTES;
    }
    sumA0.intoArray(out, outA);
    sumA1.intoArray(out, outA + 8);
    sumB0.intoArray(out, outB);
    sumB1.intoArray(out, outB + 8);
  }
}
