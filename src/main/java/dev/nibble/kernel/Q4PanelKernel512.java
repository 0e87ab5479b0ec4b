// Printed from src/main/templates/kernel/Q4PanelKernel.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;

import dev.nibble.kernel.tile.TileLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * As {@link Q4PanelKernel256}, by vectors of 512 bits: a vector holds all rows of a tile, and two tiles share the inputs that are broadcast, which is what
 * gains (one tile is no faster than by vectors of 256 bits).
 */
final class Q4PanelKernel512 {
  /** Shorts of a pair of inputs: two for each row. */
  private static final int PAIR_SHORTS = 2 * TileLayout.ROWS;

  /** Where a panel's second tile begins. */
  private static final int SECOND_WEIGHTS = Panel.BLOCKS_OF_TWO * Panel.BLOCK_SHORTS;
  private static final int SECOND_SCALES = Panel.BLOCKS_OF_TWO * TileLayout.ROWS;

  private Q4PanelKernel512() {}

  /**
   * Adds the products of both tiles of the panel with four vectors to sums that are in {@code out}.
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
    FloatVector sumA0 = FloatVector.fromArray(Lanes512.FLOATS, out, outAt);
    FloatVector sumA1 = FloatVector.fromArray(Lanes512.FLOATS, out, outAt + 16);
    FloatVector sumB0 = FloatVector.fromArray(Lanes512.FLOATS, out, outAt + outStride);
    FloatVector sumB1 = FloatVector.fromArray(Lanes512.FLOATS, out, outAt + outStride + 16);
    FloatVector sumC0 = FloatVector.fromArray(Lanes512.FLOATS, out, outAt + 2 * outStride);
    FloatVector sumC1 = FloatVector.fromArray(Lanes512.FLOATS, out, outAt + 2 * outStride + 16);
    FloatVector sumD0 = FloatVector.fromArray(Lanes512.FLOATS, out, outAt + 3 * outStride);
    FloatVector sumD1 = FloatVector.fromArray(Lanes512.FLOATS, out, outAt + 3 * outStride + 16);
    int weightAt = 0;
    int scaleAt = 0;
    for (int b = 0; b < blocks; b++) {
      ShortVector accA0 = ShortVector.zero(Lanes512.SHORTS);
      ShortVector accA1 = ShortVector.zero(Lanes512.SHORTS);
      ShortVector accB0 = ShortVector.zero(Lanes512.SHORTS);
      ShortVector accB1 = ShortVector.zero(Lanes512.SHORTS);
      ShortVector accC0 = ShortVector.zero(Lanes512.SHORTS);
      ShortVector accC1 = ShortVector.zero(Lanes512.SHORTS);
      ShortVector accD0 = ShortVector.zero(Lanes512.SHORTS);
      ShortVector accD1 = ShortVector.zero(Lanes512.SHORTS);
      for (int pair = 0; pair < TileLayout.PAIRS; pair += 2) {
        ShortVector w0 = ShortVector.fromArray(Lanes512.SHORTS, weights, weightAt);
        ShortVector w1 = ShortVector.fromArray(Lanes512.SHORTS, weights, weightAt + SECOND_WEIGHTS);
        ShortVector xA = FloatVector.broadcast(Lanes512.FLOATS, pairs[at]).reinterpretAsShorts();
        accA0 = accA0.add(w0.mul(xA));
        accA1 = accA1.add(w1.mul(xA));
        ShortVector xB = FloatVector.broadcast(Lanes512.FLOATS, pairs[atB]).reinterpretAsShorts();
        accB0 = accB0.add(w0.mul(xB));
        accB1 = accB1.add(w1.mul(xB));
        ShortVector xC = FloatVector.broadcast(Lanes512.FLOATS, pairs[atC]).reinterpretAsShorts();
        accC0 = accC0.add(w0.mul(xC));
        accC1 = accC1.add(w1.mul(xC));
        ShortVector xD = FloatVector.broadcast(Lanes512.FLOATS, pairs[atD]).reinterpretAsShorts();
        accD0 = accD0.add(w0.mul(xD));
        accD1 = accD1.add(w1.mul(xD));
        ShortVector v0 = ShortVector.fromArray(Lanes512.SHORTS, weights, weightAt + PAIR_SHORTS);
        ShortVector v1 = ShortVector.fromArray(Lanes512.SHORTS, weights, weightAt + PAIR_SHORTS + SECOND_WEIGHTS);
        ShortVector yA = FloatVector.broadcast(Lanes512.FLOATS, pairs[at + 1]).reinterpretAsShorts();
        accA0 = accA0.add(v0.mul(yA));
        accA1 = accA1.add(v1.mul(yA));
        ShortVector yB = FloatVector.broadcast(Lanes512.FLOATS, pairs[atB + 1]).reinterpretAsShorts();
        accB0 = accB0.add(v0.mul(yB));
        accB1 = accB1.add(v1.mul(yB));
        ShortVector yC = FloatVector.broadcast(Lanes512.FLOATS, pairs[atC + 1]).reinterpretAsShorts();
        accC0 = accC0.add(v0.mul(yC));
        accC1 = accC1.add(v1.mul(yC));
        ShortVector yD = FloatVector.broadcast(Lanes512.FLOATS, pairs[atD + 1]).reinterpretAsShorts();
        accD0 = accD0.add(v0.mul(yD));
        accD1 = accD1.add(v1.mul(yD));
        weightAt += 2 * PAIR_SHORTS;
        at += 2;
        atB += 2;
        atC += 2;
        atD += 2;
      }
      FloatVector s0 = FloatVector.fromArray(Lanes512.FLOATS, rowScales, scaleAt);
      FloatVector s1 = FloatVector.fromArray(Lanes512.FLOATS, rowScales, scaleAt + SECOND_SCALES);
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
    sumA1.intoArray(out, outAt + 16);
    sumB0.intoArray(out, outAt + outStride);
    sumB1.intoArray(out, outAt + outStride + 16);
    sumC0.intoArray(out, outAt + 2 * outStride);
    sumC1.intoArray(out, outAt + 2 * outStride + 16);
    sumD0.intoArray(out, outAt + 3 * outStride);
    sumD1.intoArray(out, outAt + 3 * outStride + 16);
  }
}
