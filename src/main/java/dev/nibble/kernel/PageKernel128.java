// Printed from src/main/templates/kernel/PageKernel.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * Page kernels with 128-bit vectors. PageKernel256 is its twin: the same operations on each number, in the same order. Expressions
 * are written out in each method, since a helper that takes or returns vectors would box them in a native image.
 */
final class PageKernel128 {
  private static final int LANES = 4;
  private static final int HALF_BITS = 0x8fffe000; // of a binary32 that a binary16's bits move to; see PageLayout.toFloat
  private static final float HALF_SCALE = 0x1p112f;

  private PageKernel128() {}

  /** Scales and zero points of {@code count} groups, a multiple of 8. */
  static void unpackParameters(int[] page, int at, int count, float[] scales, float[] zeros) {
    for (int i = 0; i < count; i += LANES) {
      IntVector pairs = IntVector.fromArray(Lanes128.INTS, page, at + i);
      pairs.lanewise(LSHL, 16).lanewise(ASHR, 3).and(HALF_BITS).reinterpretAsFloats().mul(HALF_SCALE).intoArray(scales, i);
      pairs.lanewise(ASHR, 3).and(HALF_BITS).reinterpretAsFloats().mul(HALF_SCALE).intoArray(zeros, i);
    }
  }

  static void unpackFloats(int[] page, int at, int numbers, float[] out) {
    for (int i = 0; i < numbers; i += LANES) {
      IntVector.fromArray(Lanes128.INTS, page, at + i).reinterpretAsFloats().intoArray(out, i);
    }
  }

  static void unpackHalves(int[] page, int at, int numbers, float[] out) {
    for (int i = 0; i < numbers; i += 16) {
      for (int part = 0; part < 8; part += LANES) {
        IntVector pairs = IntVector.fromArray(Lanes128.INTS, page, at + i / 2 + part);
        pairs.lanewise(LSHL, 16).lanewise(ASHR, 3).and(HALF_BITS).reinterpretAsFloats().mul(HALF_SCALE).intoArray(out, i + part);
        pairs.lanewise(ASHR, 3).and(HALF_BITS).reinterpretAsFloats().mul(HALF_SCALE).intoArray(out, i + 8 + part);
      }
    }
  }

  /**
   * Runs {@code run} of 8 numbers belong to group {@code run >> shift}. Codes are loaded anew for each shift: a vector that a loop shifts on is boxed
   * in a native image.
   */
  static void unpack8(int[] page, int at, int runs, int shift, float[] scales, float[] zeros, float[] out) {
    for (int run = 0; run < runs; run += 4) {
      for (int part = 0; part < 8; part += LANES) {
        for (int b = 0; b < 4; b++) {
          IntVector codes = IntVector.fromArray(Lanes128.INTS, page, at + 2 * run + part).lanewise(LSHR, 8 * b);
          int group = run + b >> shift;
          ((FloatVector) codes.and(255).convert(I2F, 0))
              .fma(FloatVector.broadcast(Lanes128.FLOATS, scales[group]), FloatVector.broadcast(Lanes128.FLOATS, zeros[group]))
              .intoArray(out, 8 * (run + b) + part);
        }
      }
    }
  }

  /** Runs {@code run} of 8 numbers belong to group {@code run >> shift}. */
  static void unpack4(int[] page, int at, int runs, int shift, float[] scales, float[] zeros, float[] out) {
    for (int run = 0; run < runs; run += 8) {
      for (int part = 0; part < 8; part += LANES) {
        for (int b = 0; b < 8; b++) {
          IntVector codes = IntVector.fromArray(Lanes128.INTS, page, at + run + part).lanewise(LSHR, 4 * b);
          int group = run + b >> shift;
          ((FloatVector) codes.and(15).convert(I2F, 0))
              .fma(FloatVector.broadcast(Lanes128.FLOATS, scales[group]), FloatVector.broadcast(Lanes128.FLOATS, zeros[group]))
              .intoArray(out, 8 * (run + b) + part);
        }
      }
    }
  }

  /** Runs {@code run} of 8 numbers belong to group {@code run >> shift}. */
  static void unpack2(int[] page, int at, int runs, int shift, float[] scales, float[] zeros, float[] out) {
    for (int run = 0; run < runs; run += 16) {
      for (int part = 0; part < 8; part += LANES) {
        for (int b = 0; b < 16; b++) {
          IntVector codes = IntVector.fromArray(Lanes128.INTS, page, at + run / 2 + part).lanewise(LSHR, 2 * b);
          int group = run + b >> shift;
          ((FloatVector) codes.and(3).convert(I2F, 0))
              .fma(FloatVector.broadcast(Lanes128.FLOATS, scales[group]), FloatVector.broadcast(Lanes128.FLOATS, zeros[group]))
              .intoArray(out, 8 * (run + b) + part);
        }
      }
    }
  }

  /** Scores of one query: eight vectors of tokens at a time. */
  static void scoreOne(float[] query, int at, int width, float[] keys, int keysAt, float[] out, int outAt) {
    for (int t = 0; t < 64; t += 8 * LANES) {
      FloatVector sum0 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sum1 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sum2 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sum3 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sum4 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sum5 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sum6 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sum7 = FloatVector.zero(Lanes128.FLOATS);
      int key = keysAt + t;
      for (int c = 0; c < width; c++) {
        FloatVector q = FloatVector.broadcast(Lanes128.FLOATS, query[at + c]);
        sum0 = FloatVector.fromArray(Lanes128.FLOATS, keys, key).fma(q, sum0);
        sum1 = FloatVector.fromArray(Lanes128.FLOATS, keys, key + LANES).fma(q, sum1);
        sum2 = FloatVector.fromArray(Lanes128.FLOATS, keys, key + 2 * LANES).fma(q, sum2);
        sum3 = FloatVector.fromArray(Lanes128.FLOATS, keys, key + 3 * LANES).fma(q, sum3);
        sum4 = FloatVector.fromArray(Lanes128.FLOATS, keys, key + 4 * LANES).fma(q, sum4);
        sum5 = FloatVector.fromArray(Lanes128.FLOATS, keys, key + 5 * LANES).fma(q, sum5);
        sum6 = FloatVector.fromArray(Lanes128.FLOATS, keys, key + 6 * LANES).fma(q, sum6);
        sum7 = FloatVector.fromArray(Lanes128.FLOATS, keys, key + 7 * LANES).fma(q, sum7);
        key += 64;
      }
      sum0.intoArray(out, outAt + t);
      sum1.intoArray(out, outAt + t + LANES);
      sum2.intoArray(out, outAt + t + 2 * LANES);
      sum3.intoArray(out, outAt + t + 3 * LANES);
      sum4.intoArray(out, outAt + t + 4 * LANES);
      sum5.intoArray(out, outAt + t + 5 * LANES);
      sum6.intoArray(out, outAt + t + 6 * LANES);
      sum7.intoArray(out, outAt + t + 7 * LANES);
    }
  }

  /** Scores of four queries, {@code stride} apart: two vectors of tokens at a time. */
  static void scoreFour(float[] queries, int at, int stride, int width, float[] keys, int keysAt, float[] out, int outAt) {
    for (int t = 0; t < 64; t += 2 * LANES) {
      FloatVector sumA0 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sumA1 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sumB0 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sumB1 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sumC0 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sumC1 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sumD0 = FloatVector.zero(Lanes128.FLOATS);
      FloatVector sumD1 = FloatVector.zero(Lanes128.FLOATS);
      int key = keysAt + t;
      for (int c = 0; c < width; c++) {
        FloatVector k0 = FloatVector.fromArray(Lanes128.FLOATS, keys, key);
        FloatVector k1 = FloatVector.fromArray(Lanes128.FLOATS, keys, key + LANES);
        FloatVector qA = FloatVector.broadcast(Lanes128.FLOATS, queries[at + c]);
        sumA0 = k0.fma(qA, sumA0);
        sumA1 = k1.fma(qA, sumA1);
        FloatVector qB = FloatVector.broadcast(Lanes128.FLOATS, queries[at + stride + c]);
        sumB0 = k0.fma(qB, sumB0);
        sumB1 = k1.fma(qB, sumB1);
        FloatVector qC = FloatVector.broadcast(Lanes128.FLOATS, queries[at + 2 * stride + c]);
        sumC0 = k0.fma(qC, sumC0);
        sumC1 = k1.fma(qC, sumC1);
        FloatVector qD = FloatVector.broadcast(Lanes128.FLOATS, queries[at + 3 * stride + c]);
        sumD0 = k0.fma(qD, sumD0);
        sumD1 = k1.fma(qD, sumD1);
        key += 64;
      }
      sumA0.intoArray(out, outAt + t);
      sumA1.intoArray(out, outAt + t + LANES);
      sumB0.intoArray(out, outAt + 64 + t);
      sumB1.intoArray(out, outAt + 64 + t + LANES);
      sumC0.intoArray(out, outAt + 128 + t);
      sumC1.intoArray(out, outAt + 128 + t + LANES);
      sumD0.intoArray(out, outAt + 192 + t);
      sumD1.intoArray(out, outAt + 192 + t + LANES);
    }
  }

  /** Largest of 64 scores. */
  static float maximum(float[] scores, int at, float[] partials) {
    FloatVector most = FloatVector.fromArray(Lanes128.FLOATS, scores, at);
    for (int t = LANES; t < 64; t += LANES) {
      most = most.max(FloatVector.fromArray(Lanes128.FLOATS, scores, at + t));
    }
    most.intoArray(partials, 0);
    float largest = partials[0];
    for (int i = 1; i < LANES; i++) {
      largest = Math.max(largest, partials[i]);
    }
    return largest;
  }

  /** {@link FloatMath#exp} of 64 scores less the largest, by the same operations. */
  static void exponentials(float[] scores, int at, float most) {
    FloatVector logarithm = FloatVector.broadcast(Lanes128.FLOATS, FloatMath.LOG2_E);
    FloatVector round = FloatVector.broadcast(Lanes128.FLOATS, FloatMath.ROUND);
    FloatVector high = FloatVector.broadcast(Lanes128.FLOATS, -FloatMath.LN2_HIGH);
    FloatVector low = FloatVector.broadcast(Lanes128.FLOATS, -FloatMath.LN2_LOW);
    FloatVector one = FloatVector.broadcast(Lanes128.FLOATS, 1f);
    for (int t = 0; t < 64; t += LANES) {
      FloatVector x = FloatVector.fromArray(Lanes128.FLOATS, scores, at + t).sub(most).min(88f).max(-87f);
      FloatVector shifted = x.fma(logarithm, round);
      FloatVector n = shifted.sub(round);
      FloatVector r = n.fma(low, n.fma(high, x));
      FloatVector p = FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM6).fma(r, FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM5));
      p = p.fma(r, FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM4));
      p = p.fma(r, FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM3));
      p = p.fma(r, FloatVector.broadcast(Lanes128.FLOATS, FloatMath.TERM2));
      p = p.fma(r, one).fma(r, one);
      // The low bits of shifted are n; those above them fall out.
      p.mul(shifted.reinterpretAsInts().lanewise(LSHL, 23).add(0x3f800000).reinterpretAsFloats()).intoArray(scores, at + t);
    }
  }

  /** 16 partial sums of every sixteenth weight, then a tree. */
  static float sum(float[] weights, int at, float[] partials) {
    FloatVector sum0 = FloatVector.fromArray(Lanes128.FLOATS, weights, at)
        .add(FloatVector.fromArray(Lanes128.FLOATS, weights, at + 16))
        .add(FloatVector.fromArray(Lanes128.FLOATS, weights, at + 32))
        .add(FloatVector.fromArray(Lanes128.FLOATS, weights, at + 48));
    FloatVector sum1 = FloatVector.fromArray(Lanes128.FLOATS, weights, at + 4)
        .add(FloatVector.fromArray(Lanes128.FLOATS, weights, at + 20))
        .add(FloatVector.fromArray(Lanes128.FLOATS, weights, at + 36))
        .add(FloatVector.fromArray(Lanes128.FLOATS, weights, at + 52));
    FloatVector sum2 = FloatVector.fromArray(Lanes128.FLOATS, weights, at + 8)
        .add(FloatVector.fromArray(Lanes128.FLOATS, weights, at + 24))
        .add(FloatVector.fromArray(Lanes128.FLOATS, weights, at + 40))
        .add(FloatVector.fromArray(Lanes128.FLOATS, weights, at + 56));
    FloatVector sum3 = FloatVector.fromArray(Lanes128.FLOATS, weights, at + 12)
        .add(FloatVector.fromArray(Lanes128.FLOATS, weights, at + 28))
        .add(FloatVector.fromArray(Lanes128.FLOATS, weights, at + 44))
        .add(FloatVector.fromArray(Lanes128.FLOATS, weights, at + 60));
    sum0.add(sum2).add(sum1.add(sum3)).intoArray(partials, 0);
    return partials[0] + partials[2] + (partials[1] + partials[3]);
  }

  /** Values of four rows of weights, 64 apart, for two vectors of channels at a time; {@code width} is a multiple of 8. */
  static void blendFour(
      float[] weights, int at, int from, int to, float[] values, int valuesAt, int width, float[] factors, int factorsAt, float[] out, int outAt) {
    int c = 0;
    for (; c + 2 * LANES <= width; c += 2 * LANES) {
      FloatVector sumA0 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + c).mul(factors[factorsAt]);
      FloatVector sumA1 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + c + LANES).mul(factors[factorsAt]);
      FloatVector sumB0 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + width + c).mul(factors[factorsAt + 1]);
      FloatVector sumB1 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + width + c + LANES).mul(factors[factorsAt + 1]);
      FloatVector sumC0 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + 2 * width + c).mul(factors[factorsAt + 2]);
      FloatVector sumC1 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + 2 * width + c + LANES).mul(factors[factorsAt + 2]);
      FloatVector sumD0 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + 3 * width + c).mul(factors[factorsAt + 3]);
      FloatVector sumD1 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + 3 * width + c + LANES).mul(factors[factorsAt + 3]);
      int value = valuesAt + from * width + c;
      for (int t = from; t < to; t++) {
        FloatVector v0 = FloatVector.fromArray(Lanes128.FLOATS, values, value);
        FloatVector v1 = FloatVector.fromArray(Lanes128.FLOATS, values, value + LANES);
        FloatVector wA = FloatVector.broadcast(Lanes128.FLOATS, weights[at + t]);
        sumA0 = v0.fma(wA, sumA0);
        sumA1 = v1.fma(wA, sumA1);
        FloatVector wB = FloatVector.broadcast(Lanes128.FLOATS, weights[at + 64 + t]);
        sumB0 = v0.fma(wB, sumB0);
        sumB1 = v1.fma(wB, sumB1);
        FloatVector wC = FloatVector.broadcast(Lanes128.FLOATS, weights[at + 128 + t]);
        sumC0 = v0.fma(wC, sumC0);
        sumC1 = v1.fma(wC, sumC1);
        FloatVector wD = FloatVector.broadcast(Lanes128.FLOATS, weights[at + 192 + t]);
        sumD0 = v0.fma(wD, sumD0);
        sumD1 = v1.fma(wD, sumD1);
        value += width;
      }
      sumA0.intoArray(out, outAt + c);
      sumA1.intoArray(out, outAt + c + LANES);
      sumB0.intoArray(out, outAt + width + c);
      sumB1.intoArray(out, outAt + width + c + LANES);
      sumC0.intoArray(out, outAt + 2 * width + c);
      sumC1.intoArray(out, outAt + 2 * width + c + LANES);
      sumD0.intoArray(out, outAt + 3 * width + c);
      sumD1.intoArray(out, outAt + 3 * width + c + LANES);
    }
  }

  /** Values of one row of weights: four vectors of channels at a time. */
  static void blendOne(
      float[] weights, int at, int from, int to, float[] values, int valuesAt, int width, float factor, float[] out, int outAt) {
    int c = 0;
    for (; c + 4 * LANES <= width; c += 4 * LANES) {
      FloatVector sum0 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + c).mul(factor);
      FloatVector sum1 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + c + LANES).mul(factor);
      FloatVector sum2 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + c + 2 * LANES).mul(factor);
      FloatVector sum3 = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + c + 3 * LANES).mul(factor);
      int value = valuesAt + from * width + c;
      for (int t = from; t < to; t++) {
        FloatVector w = FloatVector.broadcast(Lanes128.FLOATS, weights[at + t]);
        sum0 = FloatVector.fromArray(Lanes128.FLOATS, values, value).fma(w, sum0);
        sum1 = FloatVector.fromArray(Lanes128.FLOATS, values, value + LANES).fma(w, sum1);
        sum2 = FloatVector.fromArray(Lanes128.FLOATS, values, value + 2 * LANES).fma(w, sum2);
        sum3 = FloatVector.fromArray(Lanes128.FLOATS, values, value + 3 * LANES).fma(w, sum3);
        value += width;
      }
      sum0.intoArray(out, outAt + c);
      sum1.intoArray(out, outAt + c + LANES);
      sum2.intoArray(out, outAt + c + 2 * LANES);
      sum3.intoArray(out, outAt + c + 3 * LANES);
    }
    for (; c < width; c += 8) {
      blendEight(weights, at, from, to, values, valuesAt + c, width, factor, out, outAt + c);
    }
  }

  /** Eight channels of one row: what is left of a width. */
  private static void blendEight(
      float[] weights, int at, int from, int to, float[] values, int valuesAt, int width, float factor, float[] out, int outAt) {
    for (int part = 0; part < 8; part += LANES) {
      FloatVector sum = FloatVector.fromArray(Lanes128.FLOATS, out, outAt + part).mul(factor);
      int value = valuesAt + part + from * width;
      for (int t = from; t < to; t++) {
        sum = FloatVector.fromArray(Lanes128.FLOATS, values, value).fma(FloatVector.broadcast(Lanes128.FLOATS, weights[at + t]), sum);
        value += width;
      }
      sum.intoArray(out, outAt + part);
    }
  }
}
