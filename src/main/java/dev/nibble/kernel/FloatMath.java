package dev.nibble.kernel;

/**
 * The forward pass's elementary functions in plain Java: own code and a fixed order of sums, so that every machine gives the same bits. This is the
 * reference of {@link Elementwise}, whose vectors do the same operations in the same order.
 */
public final class FloatMath {
  /** Partial sums of a reduction, added as a tree: 16 → 8 → 4 → 2 → 1. */
  public static final int PARTIALS = 16;
  /** Least and greatest exponents: e^-87 and e^88 are within the normal floats. */
  static final float LEAST_EXPONENT = -87f;
  static final float GREATEST_EXPONENT = 88f;
  static final float LOG2_E = 1.44269504f;
  // ln 2 in two parts (Cody and Waite 1980): the first has 15 trailing zero bits, so that its product with n is exact.
  static final float LN2_HIGH = 0.693359375f;
  static final float LN2_LOW = -2.12194440e-4f;
  /** 1.5 × 2^23: adding it to a float of magnitude below 2^22 rounds to an integer, halves to even, and leaves it in the low bits. */
  static final float ROUND = 12582912f;
  static final int EXPONENT_BIAS = 127;
  static final int MANTISSA_BITS = 23;
  // Taylor's series up to the sixth power: |r| ≤ ln 2 / 2, so the rest is below 2^-23.
  static final float TERM6 = 1f / 720;
  static final float TERM5 = 1f / 120;
  static final float TERM4 = 1f / 24;
  static final float TERM3 = 1f / 6;
  static final float TERM2 = 0.5f;

  private FloatMath() {}

  /** e^x within 3 units in the last place; below -87 as at -87, above 88 as at 88. */
  public static float exp(float x) {
    float clamped = x > GREATEST_EXPONENT ? GREATEST_EXPONENT : x;
    clamped = clamped < LEAST_EXPONENT ? LEAST_EXPONENT : clamped;
    float shifted = Math.fma(clamped, LOG2_E, ROUND);
    float n = shifted - ROUND;
    float r = Math.fma(n, -LN2_LOW, Math.fma(n, -LN2_HIGH, clamped));
    float p = Math.fma(TERM6, r, TERM5);
    p = Math.fma(p, r, TERM4);
    p = Math.fma(p, r, TERM3);
    p = Math.fma(p, r, TERM2);
    p = Math.fma(p, r, 1f);
    p = Math.fma(p, r, 1f);
    // The low 9 bits of `shifted` are n; the shift moves all others out.
    return p * Float.intBitsToFloat(Float.floatToRawIntBits(shifted) + EXPONENT_BIAS << MANTISSA_BITS);
  }

  /** x / (1 + e^-x) (Elfwing et al. 2017); below -88 as at -88, where it is within 10^-36 of zero. */
  public static float silu(float x) {
    float clamped = x < -GREATEST_EXPONENT ? -GREATEST_EXPONENT : x;
    return clamped / (1 + exp(0 - clamped));
  }

  /** out[to + i] = silu(gate[gateFrom + i]) × up[upFrom + i]. */
  static void gatedSilu(float[] gate, int gateFrom, float[] up, int upFrom, int count, float[] out, int to) {
    for (int i = 0; i < count; i++) {
      out[to + i] = silu(gate[gateFrom + i]) * up[upFrom + i];
    }
  }

  /** 2 √(2/π), and 0.044715 times that. */
  static final float GELU_LINEAR = 1.5957691216f;
  static final float GELU_CUBIC = 0.07135481627f;

  /** Below it GELU is within 10^-36 of zero; there y is above -88. */
  static final float LEAST_GELU = -10f;

  /**
   * x / 2 × (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks and Gimpel 2016), as x / (1 + e^-y), since (1 + tanh(y / 2)) / 2 is 1 / (1 + e^-y); below -10 as
   * at -10.
   */
  public static float geluTanh(float x) {
    float clamped = x < LEAST_GELU ? LEAST_GELU : x;
    float y = Math.fma(clamped * clamped, GELU_CUBIC, GELU_LINEAR) * clamped;
    return clamped / (1 + exp(0 - y));
  }

  /** out[to + i] = geluTanh(gate[gateFrom + i]) × up[upFrom + i]. */
  static void gatedGelu(float[] gate, int gateFrom, float[] up, int upFrom, int count, float[] out, int to) {
    for (int i = 0; i < count; i++) {
      out[to + i] = geluTanh(gate[gateFrom + i]) * up[upFrom + i];
    }
  }

  /** x[from + i] = cap × tanh(x[from + i] / cap), within 2^-23 × cap. */
  static void softcap(float[] x, int from, int count, float cap) {
    float factor = -2 / cap;
    for (int i = from; i < from + count; i++) {
      float power = exp(x[i] * factor);
      x[i] = (1 - power) / (1 + power) * cap;
    }
  }

  /** x[from + i] += added[addedFrom + i]. */
  static void add(float[] x, int from, float[] added, int addedFrom, int count) {
    for (int i = 0; i < count; i++) {
      x[from + i] += added[addedFrom + i];
    }
  }

  /** Root mean square norm (Zhang and Sennrich 2019): out[i] = x[i] / sqrt(mean(x²) + epsilon) × weight[i]. */
  public static void rmsNorm(float[] x, int from, float[] weight, float epsilon, float[] out, int to) {
    float scale = normScale(squares(x, from, weight.length, 0, 1), weight.length, epsilon);
    for (int i = 0; i < weight.length; i++) {
      out[to + i] = x[from + i] * scale * weight[i];
    }
  }

  static float normScale(float squares, int count, float epsilon) {
    return 1 / (float) Math.sqrt(squares / count + epsilon);
  }

  /** Rotates pairs of channels 2i and 2i + 1; see {@link Elementwise#rotateAdjacent}. */
  static void rotateAdjacent(float[] x, int from, int heads, int width, float[] cosines, float[] sines, int table) {
    for (int head = 0; head < heads; head++) {
      for (int i = 0; i < width; i += 2) {
        rotate(x, from + head * width + i, 1, cosines, sines, table + i);
      }
    }
  }

  /** Rotates pairs of channels i and i + width / 2; see {@link Elementwise#rotateHalves}. */
  static void rotateHalves(float[] x, int from, int heads, int width, float[] cosines, float[] sines, int table) {
    for (int head = 0; head < heads; head++) {
      for (int i = 0; i < width / 2; i++) {
        rotate(x, from + head * width + i, width / 2, cosines, sines, table + i);
      }
    }
  }

  private static void rotate(float[] x, int first, int distance, float[] cosines, float[] sines, int table) {
    float a = x[first];
    float b = x[first + distance];
    x[first] = Math.fma(a, cosines[table], b * sines[table]);
    x[first + distance] = Math.fma(b, cosines[table + distance], a * sines[table + distance]);
  }

  /**
   * The part of a sum of squares that has places first, first + step, first + 2 × step, …: at step 16 a partial sum in order of places, above that
   * the sum of two parts of twice the step. At step 1 this is the whole tree.
   */
  private static float squares(float[] x, int from, int count, int first, int step) {
    if (step < PARTIALS) {
      return squares(x, from, count, first, 2 * step) + squares(x, from, count, first + step, 2 * step);
    }
    float partial = 0;
    for (int i = first; i < count; i += PARTIALS) {
      partial = Math.fma(x[from + i], x[from + i], partial);
    }
    return partial;
  }
}
