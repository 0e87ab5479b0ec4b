// Printed from src/main/templates/kernel/MinimumKernel.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.S2I;

import dev.nibble.kernel.tile.Int4Tile;
import dev.nibble.tensor.Half;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/** What minimums add to products of {@link dev.nibble.kernel.tile.TileLayout#INT4_AFFINE}, by vectors of 128 bits: four make a tile, two at a time. */
final class MinimumKernel128 {
  private MinimumKernel128() {}

  /**
   * Adds (8 × scale + minimum) × sum of a block's inputs, block by block, to eight of a tile's outputs of one vector, those of the rows from {@code row} on.
   *
   * @param tile where it begins: blocks, each of which begins with its scales, and then the minimums
   * @param row 0 or 8
   * @param sums of the blocks' inputs, from {@code sumsAt} on
   */
  static void add(MemorySegment tiles, long tile, int blocks, float[] sums, int sumsAt, float[] out, int outAt, int row) {
    long scales = tile + 2L * row;
    long minimums = tile + 2L * row + (long) blocks * Int4Tile.BLOCK_BYTES;
    FloatVector out0 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt);
    FloatVector out1 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + 4);
    FloatVector eight = FloatVector.broadcast(Lanes128.FLOATS, 8f);
    for (int b = 0; b < blocks; b++) {
      FloatVector sum = FloatVector.broadcast(Lanes128.FLOATS, sums[sumsAt + b]);
      FloatVector scale0 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, tiles, scales, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector minimum0 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, tiles, minimums, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      out0 = scale0.fma(eight, minimum0).fma(sum, out0);
      FloatVector scale1 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, tiles, scales + 8, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector minimum1 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, tiles, minimums + 8, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      out1 = scale1.fma(eight, minimum1).fma(sum, out1);
      scales += Int4Tile.BLOCK_BYTES;
      minimums += Int4Tile.MINIMUM_BYTES;
    }
    out0.intoArray(out, outAt);
    out1.intoArray(out, outAt + 4);
  }

  /**
   * As {@link #add} for four vectors at a time: scales and minimums are converted once for all.
   *
   * @param outStride from one vector's outputs to the next one's
   */
  static void addFour(MemorySegment tiles, long tile, int blocks, float[] sums, int sumsAt, float[] out, int outAt, int outStride, int row) {
    long scales = tile + 2L * row;
    long minimums = tile + 2L * row + (long) blocks * Int4Tile.BLOCK_BYTES;
    FloatVector out0a = FloatVector.fromArray(Lanes128.FLOATS, out, outAt);
    FloatVector out0b = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + 4);
    FloatVector out1a = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + outStride);
    FloatVector out1b = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + outStride + 4);
    FloatVector out2a = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + 2 * outStride);
    FloatVector out2b = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + 2 * outStride + 4);
    FloatVector out3a = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + 3 * outStride);
    FloatVector out3b = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + 3 * outStride + 4);
    FloatVector eight = FloatVector.broadcast(Lanes128.FLOATS, 8f);
    for (int b = sumsAt; b < sumsAt + blocks; b++) {
      FloatVector scale0 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, tiles, scales, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector minimum0 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, tiles, minimums, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector all0 = scale0.fma(eight, minimum0);
      FloatVector scale1 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, tiles, scales + 8, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector minimum1 = ((IntVector) ShortVector.fromMemorySegment(Lanes128.HALF_SHORTS, tiles, minimums + 8, LITTLE_ENDIAN).convertShape(S2I, Lanes128.INTS, 0))
          .lanewise(LSHL, 13).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector all1 = scale1.fma(eight, minimum1);
      FloatVector sum0 = FloatVector.broadcast(Lanes128.FLOATS, sums[b]);
      out0a = all0.fma(sum0, out0a);
      out0b = all1.fma(sum0, out0b);
      FloatVector sum1 = FloatVector.broadcast(Lanes128.FLOATS, sums[b + blocks]);
      out1a = all0.fma(sum1, out1a);
      out1b = all1.fma(sum1, out1b);
      FloatVector sum2 = FloatVector.broadcast(Lanes128.FLOATS, sums[b + 2 * blocks]);
      out2a = all0.fma(sum2, out2a);
      out2b = all1.fma(sum2, out2b);
      FloatVector sum3 = FloatVector.broadcast(Lanes128.FLOATS, sums[b + 3 * blocks]);
      out3a = all0.fma(sum3, out3a);
      out3b = all1.fma(sum3, out3b);
      scales += Int4Tile.BLOCK_BYTES;
      minimums += Int4Tile.MINIMUM_BYTES;
    }
    out0a.intoArray(out, outAt);
    out0b.intoArray(out, outAt + 4);
    out1a.intoArray(out, outAt + outStride);
    out1b.intoArray(out, outAt + outStride + 4);
    out2a.intoArray(out, outAt + 2 * outStride);
    out2b.intoArray(out, outAt + 2 * outStride + 4);
    out3a.intoArray(out, outAt + 3 * outStride);
    out3b.intoArray(out, outAt + 3 * outStride + 4);
  }
}
