// Printed from src/main/templates/kernel/Q4PanelKernel.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.S2I;

import dev.nibble.kernel.tile.Int4Tile;
import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.tensor.Half;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * INT4 × INT8 products with four vectors at a time, by vectors of 256 bits: weights are unpacked to shorts in a {@link Panel}, so that the loop which all
 * the time is spent in has nothing but loads, multiplications and additions, and few enough live vectors to keep its sums in registers.
 * All expressions are written out in the methods: a helper that takes or returns vectors would box them in a native image.
 */
final class Q4PanelKernel256 {
  /** Shorts of a pair of inputs: two for each row. */
  private static final int PAIR_SHORTS = 2 * TileLayout.ROWS;

  private Q4PanelKernel256() {}

  /** Unpacks some blocks of a tile, scales included, from the panel's block {@code to} on. */
  static void unpack(MemorySegment data, long tile, int blocks, Panel panel, int to) {
    short[] weights = panel.weights;
    int at = to * Panel.BLOCK_SHORTS;
    int scaleAt = to * TileLayout.ROWS;
    for (int b = 0; b < blocks; b++) {
      for (int lane = 0; lane < TileLayout.ROWS; lane += 8) {
        ((IntVector) ShortVector.fromMemorySegment(Lanes256.HALF_SHORTS, data, tile + 2L * lane, LITTLE_ENDIAN).convertShape(S2I, Lanes256.INTS, 0)).lanewise(LSHL, 13)
            .and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE).intoArray(panel.scales, scaleAt + lane);
        long group = tile + Int4Tile.SCALE_BYTES + 4L * lane;
        for (int pair = at + 2 * lane; pair < at + Panel.BLOCK_SHORTS; pair += Panel.BLOCK_SHORTS / Int4Tile.GROUPS) {
          ShortVector nibbles = ShortVector.fromMemorySegment(Lanes256.SHORTS, data, group, LITTLE_ENDIAN);
          nibbles.and((short) 15).sub((short) 8).intoArray(weights, pair);
          nibbles.lanewise(LSHR, 4).and((short) 15).sub((short) 8).intoArray(weights, pair + 1 * PAIR_SHORTS);
          nibbles.lanewise(LSHR, 8).and((short) 15).sub((short) 8).intoArray(weights, pair + 2 * PAIR_SHORTS);
          nibbles.lanewise(LSHR, 12).sub((short) 8).intoArray(weights, pair + 3 * PAIR_SHORTS);
          group += Int4Tile.GROUP_BYTES;
        }
      }
      tile += Int4Tile.BLOCK_BYTES;
      at += Panel.BLOCK_SHORTS;
      scaleAt += TileLayout.ROWS;
    }
  }

  /**
   * Adds the products of the panel with four vectors to sums that are in {@code out}.
   *
   * @param pairs inputs; those of the first vector begin at {@code at}, those of the next ones {@code stride} further each
   * @param scales of the inputs, from {@code block} on, {@code blockStride} further for each next vector
   * @param out a row of sums for each vector, {@code outStride} apart
   */
  static void multiplyFour(
      Panel panel, int blocks, float[] pairs, int at, int stride, float[] scales, int block, int blockStride, float[] out, int outAt, int outStride) {
    short[] weights = panel.weights;
    float[] rowScales = panel.scales;
    int atB = at + stride;
    int atC = atB + stride;
    int atD = atC + stride;
    FloatVector sumA0 = FloatVector.fromArray(Lanes256.FLOATS, out, outAt);
    FloatVector sumA1 = FloatVector.fromArray(Lanes256.FLOATS, out, outAt + 8);
    FloatVector sumB0 = FloatVector.fromArray(Lanes256.FLOATS, out, outAt + outStride);
    FloatVector sumB1 = FloatVector.fromArray(Lanes256.FLOATS, out, outAt + outStride + 8);
    FloatVector sumC0 = FloatVector.fromArray(Lanes256.FLOATS, out, outAt + 2 * outStride);
    FloatVector sumC1 = FloatVector.fromArray(Lanes256.FLOATS, out, outAt + 2 * outStride + 8);
    FloatVector sumD0 = FloatVector.fromArray(Lanes256.FLOATS, out, outAt + 3 * outStride);
    FloatVector sumD1 = FloatVector.fromArray(Lanes256.FLOATS, out, outAt + 3 * outStride + 8);
    int weightAt = 0;
    int scaleAt = 0;
    for (int b = 0; b < blocks; b++) {
      ShortVector accA0 = ShortVector.zero(Lanes256.SHORTS);
      ShortVector accA1 = ShortVector.zero(Lanes256.SHORTS);
      ShortVector accB0 = ShortVector.zero(Lanes256.SHORTS);
      ShortVector accB1 = ShortVector.zero(Lanes256.SHORTS);
      ShortVector accC0 = ShortVector.zero(Lanes256.SHORTS);
      ShortVector accC1 = ShortVector.zero(Lanes256.SHORTS);
      ShortVector accD0 = ShortVector.zero(Lanes256.SHORTS);
      ShortVector accD1 = ShortVector.zero(Lanes256.SHORTS);
      for (int pair = 0; pair < TileLayout.PAIRS; pair += 2) {
        ShortVector w0 = ShortVector.fromArray(Lanes256.SHORTS, weights, weightAt);
        ShortVector w1 = ShortVector.fromArray(Lanes256.SHORTS, weights, weightAt + 16);
        ShortVector xA = FloatVector.broadcast(Lanes256.FLOATS, pairs[at]).reinterpretAsShorts();
        accA0 = accA0.add(w0.mul(xA));
        accA1 = accA1.add(w1.mul(xA));
        ShortVector xB = FloatVector.broadcast(Lanes256.FLOATS, pairs[atB]).reinterpretAsShorts();
        accB0 = accB0.add(w0.mul(xB));
        accB1 = accB1.add(w1.mul(xB));
        ShortVector xC = FloatVector.broadcast(Lanes256.FLOATS, pairs[atC]).reinterpretAsShorts();
        accC0 = accC0.add(w0.mul(xC));
        accC1 = accC1.add(w1.mul(xC));
        ShortVector xD = FloatVector.broadcast(Lanes256.FLOATS, pairs[atD]).reinterpretAsShorts();
        accD0 = accD0.add(w0.mul(xD));
        accD1 = accD1.add(w1.mul(xD));
        ShortVector v0 = ShortVector.fromArray(Lanes256.SHORTS, weights, weightAt + PAIR_SHORTS);
        ShortVector v1 = ShortVector.fromArray(Lanes256.SHORTS, weights, weightAt + PAIR_SHORTS + 16);
        ShortVector yA = FloatVector.broadcast(Lanes256.FLOATS, pairs[at + 1]).reinterpretAsShorts();
        accA0 = accA0.add(v0.mul(yA));
        accA1 = accA1.add(v1.mul(yA));
        ShortVector yB = FloatVector.broadcast(Lanes256.FLOATS, pairs[atB + 1]).reinterpretAsShorts();
        accB0 = accB0.add(v0.mul(yB));
        accB1 = accB1.add(v1.mul(yB));
        ShortVector yC = FloatVector.broadcast(Lanes256.FLOATS, pairs[atC + 1]).reinterpretAsShorts();
        accC0 = accC0.add(v0.mul(yC));
        accC1 = accC1.add(v1.mul(yC));
        ShortVector yD = FloatVector.broadcast(Lanes256.FLOATS, pairs[atD + 1]).reinterpretAsShorts();
        accD0 = accD0.add(v0.mul(yD));
        accD1 = accD1.add(v1.mul(yD));
        weightAt += 2 * PAIR_SHORTS;
        at += 2;
        atB += 2;
        atC += 2;
        atD += 2;
      }
      FloatVector s0 = FloatVector.fromArray(Lanes256.FLOATS, rowScales, scaleAt);
      FloatVector s1 = FloatVector.fromArray(Lanes256.FLOATS, rowScales, scaleAt + 8);
      float scaleA = scales[block + b];
      IntVector intA0 = accA0.reinterpretAsInts();
      sumA0 = ((FloatVector) intA0.lanewise(LSHL, 16).add(intA0).lanewise(ASHR, 16).convert(I2F, 0)).fma(s0.mul(scaleA), sumA0);
      IntVector intA1 = accA1.reinterpretAsInts();
      sumA1 = ((FloatVector) intA1.lanewise(LSHL, 16).add(intA1).lanewise(ASHR, 16).convert(I2F, 0)).fma(s1.mul(scaleA), sumA1);
      float scaleB = scales[block + b + blockStride];
      IntVector intB0 = accB0.reinterpretAsInts();
      sumB0 = ((FloatVector) intB0.lanewise(LSHL, 16).add(intB0).lanewise(ASHR, 16).convert(I2F, 0)).fma(s0.mul(scaleB), sumB0);
      IntVector intB1 = accB1.reinterpretAsInts();
      sumB1 = ((FloatVector) intB1.lanewise(LSHL, 16).add(intB1).lanewise(ASHR, 16).convert(I2F, 0)).fma(s1.mul(scaleB), sumB1);
      float scaleC = scales[block + b + 2 * blockStride];
      IntVector intC0 = accC0.reinterpretAsInts();
      sumC0 = ((FloatVector) intC0.lanewise(LSHL, 16).add(intC0).lanewise(ASHR, 16).convert(I2F, 0)).fma(s0.mul(scaleC), sumC0);
      IntVector intC1 = accC1.reinterpretAsInts();
      sumC1 = ((FloatVector) intC1.lanewise(LSHL, 16).add(intC1).lanewise(ASHR, 16).convert(I2F, 0)).fma(s1.mul(scaleC), sumC1);
      float scaleD = scales[block + b + 3 * blockStride];
      IntVector intD0 = accD0.reinterpretAsInts();
      sumD0 = ((FloatVector) intD0.lanewise(LSHL, 16).add(intD0).lanewise(ASHR, 16).convert(I2F, 0)).fma(s0.mul(scaleD), sumD0);
      IntVector intD1 = accD1.reinterpretAsInts();
      sumD1 = ((FloatVector) intD1.lanewise(LSHL, 16).add(intD1).lanewise(ASHR, 16).convert(I2F, 0)).fma(s1.mul(scaleD), sumD1);
      scaleAt += TileLayout.ROWS;
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
