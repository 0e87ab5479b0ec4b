package dev.nibble.kernel;

import static jdk.incubator.vector.VectorOperators.LSHL;

import dev.nibble.kernel.tile.TileLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Rounds inputs, in vectors of 128 bits on every machine: pairs of inputs are then two loads put together, with no lane crossed.
 */
final class ActivationKernel {
  private ActivationKernel() {}

  static void quantize(Activations x, int block) {
    float[] values = x.values;
    int[] quants = x.quants;
    int from = block * TileLayout.BLOCK;
    IntVector most = IntVector.zero(Lanes128.INTS);
    for (int i = from; i < from + TileLayout.BLOCK; i += 4) {
      most = most.max(FloatVector.fromArray(Lanes128.FLOATS, values, i).reinterpretAsInts().and(Activations.MAGNITUDE));
    }
    float largest = Float.intBitsToFloat(most.reduceLanes(VectorOperators.MAX));
    FloatVector inverse = FloatVector.broadcast(Lanes128.FLOATS, Activations.inverse(largest));
    int round = Float.floatToRawIntBits(Activations.ROUND);
    for (int i = from; i < from + TileLayout.BLOCK; i += 4) {
      FloatVector.fromArray(Lanes128.FLOATS, values, i).mul(inverse).add(Activations.ROUND).reinterpretAsInts().sub(round)
          .intoArray(quants, Activations.FRONT + i);
    }
    x.scales[block] = largest / Activations.LARGEST;
    IntVector notFirst = IntVector.fromArray(Lanes128.INTS, Lanes128.NOT_FIRST, 0);
    int at = block * TileLayout.PAIRS;
    int low0 = 0;
    int high0 = 0;
    int low1 = 0;
    int high1 = 0;
    int first = Activations.FRONT + from;
    for (int i = first; i < first + TileLayout.BLOCK; i += 8) {
      IntVector low = IntVector.fromArray(Lanes128.INTS, quants, i);
      IntVector high = IntVector.fromArray(Lanes128.INTS, quants, i + 4);
      low.and(0xffff).or(high.lanewise(LSHL, 16)).reinterpretAsFloats().intoArray(x.pairs, at);
      // The first lane has nothing before it; what is loaded there belongs to another four, and is masked out.
      IntVector beforeLow = IntVector.fromArray(Lanes128.INTS, quants, i - 1).and(notFirst);
      IntVector beforeHigh = IntVector.fromArray(Lanes128.INTS, quants, i + 3).and(notFirst);
      IntVector stepLow = low.sub(beforeLow.lanewise(LSHL, 4));
      IntVector stepHigh = high.sub(beforeHigh.lanewise(LSHL, 4));
      stepLow.and(0xffff).or(stepHigh.lanewise(LSHL, 16)).reinterpretAsFloats().intoArray(x.steps, at);
      int lowSum = low.reduceLanes(VectorOperators.ADD);
      int highSum = high.reduceLanes(VectorOperators.ADD);
      low1 += lowSum;
      high1 += highSum;
      if (i < first + 16) {
        low0 += lowSum;
        high0 += highSum;
      }
      at += 4;
    }
    x.offsets(block, low0, high0, low1 - low0, high1 - high0);
  }
}
