package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.S2I;

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
   * @param scales where the first block's binary16 scales are; the next ones are {@code stride} bytes further each
   * @param minimums where the first block's binary16 minimums are; the next ones follow
   * @param row 0 or 8
   * @param sums of the blocks' inputs, from {@code sumsAt} on
   */
  static void add(MemorySegment tiles, long scales, long stride, long minimums, int blocks, float[] sums, int sumsAt, float[] out, int outAt, int row) {
    scales += 2L * row;
    minimums += 2L * row;
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
      scales += stride;
      minimums += 32;
    }
    out0.intoArray(out, outAt);
    out1.intoArray(out, outAt + 4);
  }
}
