package dev.nibble.kernel;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.LSHL;

import dev.nibble.tensor.Half;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/** As {@link HalfKernel256}, by vectors of 128 bits: each int holds rows i and 8 + i. */
final class HalfKernel128 {
  private HalfKernel128() {}

  /** One vector times one tile of bfloat16. */
  static void multiplyBrain(MemorySegment weights, long tile, int columns, float[] x, int xAt, float[] out, int outAt) {
    FloatVector sum0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum1 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum2 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum3 = FloatVector.zero(Lanes128.FLOATS);
    for (int i = 0; i < columns; i++) {
      IntVector first = IntVector.fromMemorySegment(Lanes128.INTS, weights, tile, LITTLE_ENDIAN);
      IntVector second = IntVector.fromMemorySegment(Lanes128.INTS, weights, tile + 16, LITTLE_ENDIAN);
      FloatVector broadcast = FloatVector.broadcast(Lanes128.FLOATS, x[xAt + i]);
      sum0 = first.lanewise(LSHL, 16).reinterpretAsFloats().fma(broadcast, sum0);
      sum1 = second.lanewise(LSHL, 16).reinterpretAsFloats().fma(broadcast, sum1);
      sum2 = first.and(0xffff0000).reinterpretAsFloats().fma(broadcast, sum2);
      sum3 = second.and(0xffff0000).reinterpretAsFloats().fma(broadcast, sum3);
      tile += 32;
    }
    sum0.intoArray(out, outAt);
    sum1.intoArray(out, outAt + 4);
    sum2.intoArray(out, outAt + 8);
    sum3.intoArray(out, outAt + 12);
  }

  /** One vector times one tile of binary16. */
  static void multiplyHalf(MemorySegment weights, long tile, int columns, float[] x, int xAt, float[] out, int outAt) {
    FloatVector sum0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum1 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum2 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector sum3 = FloatVector.zero(Lanes128.FLOATS);
    for (int i = 0; i < columns; i++) {
      IntVector first = IntVector.fromMemorySegment(Lanes128.INTS, weights, tile, LITTLE_ENDIAN);
      IntVector second = IntVector.fromMemorySegment(Lanes128.INTS, weights, tile + 16, LITTLE_ENDIAN);
      FloatVector broadcast = FloatVector.broadcast(Lanes128.FLOATS, x[xAt + i]);
      FloatVector w0 = first.lanewise(LSHL, 16).lanewise(ASHR, 3).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector w1 = second.lanewise(LSHL, 16).lanewise(ASHR, 3).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector w2 = first.lanewise(ASHR, 3).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      FloatVector w3 = second.lanewise(ASHR, 3).and(Half.FLOAT_BITS).reinterpretAsFloats().mul(Half.FLOAT_SCALE);
      sum0 = w0.fma(broadcast, sum0);
      sum1 = w1.fma(broadcast, sum1);
      sum2 = w2.fma(broadcast, sum2);
      sum3 = w3.fma(broadcast, sum3);
      tile += 32;
    }
    sum0.intoArray(out, outAt);
    sum1.intoArray(out, outAt + 4);
    sum2.intoArray(out, outAt + 8);
    sum3.intoArray(out, outAt + 12);
  }
}
