package dev.nibble.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * {@link FloatMath} in vectors: lane j of vector v of a group of four is partial sum 4v + j. e^x stands written out where it is used, since a helper
 * that takes or returns vectors may not be inlined, and then boxes them.
 */
final class ElementwiseKernel {
  private static final int LANES = 4;

  private ElementwiseKernel() {}

  /** The part of a row that is whole vectors. */
  static int whole(int count) {
    return count & -LANES;
  }

  /** weight.length is a multiple of 16. */
  static void rmsNorm(float[] x, int from, float[] weight, float epsilon, float[] out, int to) {
    FloatVector partial0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector partial1 = partial0;
    FloatVector partial2 = partial0;
    FloatVector partial3 = partial0;
    for (int i = 0; i < weight.length; i += FloatMath.PARTIALS) {
      FloatVector x0 = FloatVector.fromArray(Lanes128.FLOATS, x, from + i);
      FloatVector x1 = FloatVector.fromArray(Lanes128.FLOATS, x, from + i + 4);
      FloatVector x2 = FloatVector.fromArray(Lanes128.FLOATS, x, from + i + 8);
      FloatVector x3 = FloatVector.fromArray(Lanes128.FLOATS, x, from + i + 12);
      partial0 = x0.fma(x0, partial0);
      partial1 = x1.fma(x1, partial1);
      partial2 = x2.fma(x2, partial2);
      partial3 = x3.fma(x3, partial3);
    }
    FloatVector four = partial0.add(partial2).add(partial1.add(partial3));
    float squares = four.lane(0) + four.lane(2) + (four.lane(1) + four.lane(3));
    scale(x, from, FloatMath.normScale(squares, weight.length, epsilon), weight, out, to);
  }

  /** weight.length is a multiple of 16. */
  static void addThenNorm(float[] x, int from, float[] added, int addedFrom, float[] weight, float epsilon, float[] out, int to) {
    FloatVector partial0 = FloatVector.zero(Lanes128.FLOATS);
    FloatVector partial1 = partial0;
    FloatVector partial2 = partial0;
    FloatVector partial3 = partial0;
    for (int i = 0; i < weight.length; i += FloatMath.PARTIALS) {
      FloatVector x0 = FloatVector.fromArray(Lanes128.FLOATS, x, from + i).add(FloatVector.fromArray(Lanes128.FLOATS, added, addedFrom + i));
      FloatVector x1 = FloatVector.fromArray(Lanes128.FLOATS, x, from + i + 4).add(FloatVector.fromArray(Lanes128.FLOATS, added, addedFrom + i + 4));
      FloatVector x2 = FloatVector.fromArray(Lanes128.FLOATS, x, from + i + 8).add(FloatVector.fromArray(Lanes128.FLOATS, added, addedFrom + i + 8));
      FloatVector x3 = FloatVector.fromArray(Lanes128.FLOATS, x, from + i + 12).add(FloatVector.fromArray(Lanes128.FLOATS, added, addedFrom + i + 12));
      x0.intoArray(x, from + i);
      x1.intoArray(x, from + i + 4);
      x2.intoArray(x, from + i + 8);
      x3.intoArray(x, from + i + 12);
      partial0 = x0.fma(x0, partial0);
      partial1 = x1.fma(x1, partial1);
      partial2 = x2.fma(x2, partial2);
      partial3 = x3.fma(x3, partial3);
    }
    FloatVector four = partial0.add(partial2).add(partial1.add(partial3));
    float squares = four.lane(0) + four.lane(2) + (four.lane(1) + four.lane(3));
    scale(x, from, FloatMath.normScale(squares, weight.length, epsilon), weight, out, to);
  }

  private static void scale(float[] x, int from, float scale, float[] weight, float[] out, int to) {
    for (int i = 0; i < weight.length; i += LANES) {
      FloatVector.fromArray(Lanes128.FLOATS, x, from + i).mul(scale).mul(FloatVector.fromArray(Lanes128.FLOATS, weight, i)).intoArray(out, to + i);
    }
  }

  /** count is a multiple of 4. */
  static void add(float[] x, int from, float[] added, int addedFrom, int count) {
    for (int i = 0; i < count; i += LANES) {
      FloatVector.fromArray(Lanes128.FLOATS, x, from + i).add(FloatVector.fromArray(Lanes128.FLOATS, added, addedFrom + i)).intoArray(x, from + i);
    }
  }

  /** count is a multiple of 4. */
  static void gatedSilu(float[] gate, int gateFrom, float[] up, int upFrom, int count, float[] out, int to) {
    FloatVector one = FloatVector.broadcast(Lanes128.FLOATS, 1f);
    for (int i = 0; i < count; i += LANES) {
      FloatVector x = FloatVector.fromArray(Lanes128.FLOATS, gate, gateFrom + i);
      x = x.blend(-FloatMath.GREATEST_EXPONENT, x.compare(VectorOperators.LT, -FloatMath.GREATEST_EXPONENT));
      // e^-x; not above the greatest exponent, so only the least has to be kept.
      FloatVector minus = FloatVector.zero(Lanes128.FLOATS).sub(x);
      FloatVector clamped = minus.blend(FloatMath.LEAST_EXPONENT, minus.compare(VectorOperators.LT, FloatMath.LEAST_EXPONENT));
      FloatVector shifted =
          clamped.fma(FloatVector.broadcast(Lanes128.FLOATS, FloatMath.LOG2_E), FloatVector.broadcast(Lanes128.FLOATS, FloatMath.ROUND));
      FloatVector n = shifted.sub(FloatMath.ROUND);
      FloatVector r = n.fma(FloatVector.broadcast(Lanes128.FLOATS, -FloatMath.LN2_HIGH), clamped);
      r = n.fma(FloatVector.broadcast(Lanes128.FLOATS, -FloatMath.LN2_LOW), r);
      FloatVector p = r.fma(FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM6), FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM5));
      p = p.fma(r, FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM4));
      p = p.fma(r, FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM3));
      p = p.fma(r, FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM2));
      p = p.fma(r, one);
      p = p.fma(r, one);
      FloatVector power =
          shifted.reinterpretAsInts().add(FloatMath.EXPONENT_BIAS).lanewise(VectorOperators.LSHL, FloatMath.MANTISSA_BITS).reinterpretAsFloats();
      x.div(one.add(p.mul(power))).mul(FloatVector.fromArray(Lanes128.FLOATS, up, upFrom + i)).intoArray(out, to + i);
    }
  }

  /** count is a multiple of 4. */
  static void gatedGelu(float[] gate, int gateFrom, float[] up, int upFrom, int count, float[] out, int to) {
    FloatVector one = FloatVector.broadcast(Lanes128.FLOATS, 1f);
    for (int i = 0; i < count; i += LANES) {
      FloatVector x = FloatVector.fromArray(Lanes128.FLOATS, gate, gateFrom + i);
      x = x.blend(FloatMath.LEAST_GELU, x.compare(VectorOperators.LT, FloatMath.LEAST_GELU));
      FloatVector y = x.mul(x).fma(FloatVector.broadcast(Lanes128.FLOATS, FloatMath.GELU_CUBIC), FloatVector.broadcast(Lanes128.FLOATS, FloatMath.GELU_LINEAR)).mul(x);
      FloatVector minus = FloatVector.zero(Lanes128.FLOATS).sub(y);
      FloatVector clamped = minus.blend(FloatMath.LEAST_EXPONENT, minus.compare(VectorOperators.LT, FloatMath.LEAST_EXPONENT));
      FloatVector shifted =
          clamped.fma(FloatVector.broadcast(Lanes128.FLOATS, FloatMath.LOG2_E), FloatVector.broadcast(Lanes128.FLOATS, FloatMath.ROUND));
      FloatVector n = shifted.sub(FloatMath.ROUND);
      FloatVector r = n.fma(FloatVector.broadcast(Lanes128.FLOATS, -FloatMath.LN2_HIGH), clamped);
      r = n.fma(FloatVector.broadcast(Lanes128.FLOATS, -FloatMath.LN2_LOW), r);
      FloatVector p = r.fma(FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM6), FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM5));
      p = p.fma(r, FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM4));
      p = p.fma(r, FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM3));
      p = p.fma(r, FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM2));
      p = p.fma(r, one);
      p = p.fma(r, one);
      FloatVector power = p.mul(
          shifted.reinterpretAsInts().add(FloatMath.EXPONENT_BIAS).lanewise(VectorOperators.LSHL, FloatMath.MANTISSA_BITS).reinterpretAsFloats());
      x.div(one.add(power)).mul(FloatVector.fromArray(Lanes128.FLOATS, up, upFrom + i)).intoArray(out, to + i);
    }
  }

  /** count is a multiple of 4. */
  static void softcap(float[] values, int from, int count, float cap) {
    FloatVector one = FloatVector.broadcast(Lanes128.FLOATS, 1f);
    float factor = -2 / cap;
    for (int i = from; i < from + count; i += LANES) {
      FloatVector x = FloatVector.fromArray(Lanes128.FLOATS, values, i).mul(factor);
      FloatVector clamped = x.blend(FloatMath.GREATEST_EXPONENT, x.compare(VectorOperators.GT, FloatMath.GREATEST_EXPONENT));
      clamped = clamped.blend(FloatMath.LEAST_EXPONENT, clamped.compare(VectorOperators.LT, FloatMath.LEAST_EXPONENT));
      FloatVector shifted =
          clamped.fma(FloatVector.broadcast(Lanes128.FLOATS, FloatMath.LOG2_E), FloatVector.broadcast(Lanes128.FLOATS, FloatMath.ROUND));
      FloatVector n = shifted.sub(FloatMath.ROUND);
      FloatVector r = n.fma(FloatVector.broadcast(Lanes128.FLOATS, -FloatMath.LN2_HIGH), clamped);
      r = n.fma(FloatVector.broadcast(Lanes128.FLOATS, -FloatMath.LN2_LOW), r);
      FloatVector p = r.fma(FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM6), FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM5));
      p = p.fma(r, FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM4));
      p = p.fma(r, FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM3));
      p = p.fma(r, FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM2));
      p = p.fma(r, one);
      p = p.fma(r, one);
      FloatVector power = p.mul(
          shifted.reinterpretAsInts().add(FloatMath.EXPONENT_BIAS).lanewise(VectorOperators.LSHL, FloatMath.MANTISSA_BITS).reinterpretAsFloats());
      one.sub(power).div(one.add(power)).mul(cap).intoArray(values, i);
    }
  }

  /** width is a multiple of 4. */
  static void rotateAdjacent(float[] x, int from, int heads, int width, float[] cosines, float[] sines, int table) {
    for (int i = 0; i < width; i += LANES) {
      FloatVector cosine = FloatVector.fromArray(Lanes128.FLOATS, cosines, table + i);
      FloatVector sine = FloatVector.fromArray(Lanes128.FLOATS, sines, table + i);
      for (int at = from + i; at < from + i + heads * width; at += width) {
        FloatVector channels = FloatVector.fromArray(Lanes128.FLOATS, x, at);
        channels.fma(cosine, channels.rearrange(Lanes128.NEIGHBOURS).mul(sine)).intoArray(x, at);
      }
    }
  }

  /** width is a multiple of 8. */
  static void rotateHalves(float[] x, int from, int heads, int width, float[] cosines, float[] sines, int table) {
    int half = width / 2;
    for (int i = 0; i < half; i += LANES) {
      FloatVector cosineA = FloatVector.fromArray(Lanes128.FLOATS, cosines, table + i);
      FloatVector cosineB = FloatVector.fromArray(Lanes128.FLOATS, cosines, table + i + half);
      FloatVector sineA = FloatVector.fromArray(Lanes128.FLOATS, sines, table + i);
      FloatVector sineB = FloatVector.fromArray(Lanes128.FLOATS, sines, table + i + half);
      for (int at = from + i; at < from + i + heads * width; at += width) {
        FloatVector a = FloatVector.fromArray(Lanes128.FLOATS, x, at);
        FloatVector b = FloatVector.fromArray(Lanes128.FLOATS, x, at + half);
        a.fma(cosineA, b.mul(sineA)).intoArray(x, at);
        b.fma(cosineB, a.mul(sineB)).intoArray(x, at + half);
      }
    }
  }
}
