package dev.nibble.kernel;

/** The forward pass's elementary functions: own code and a fixed order of sums, so that every machine gives the same bits. */
public final class FloatMath {
  /** Partial sums of a reduction, added as a tree: 16 → 8 → 4 → 2 → 1. */
  public static final int PARTIALS = 16;
  static final float LOG2_E = 1.44269504f;
  // ln 2 in two parts (Cody and Waite 1980): the first has 15 trailing zero bits, so that its product with n is exact.
  static final float LN2_HIGH = 0.693359375f;
  static final float LN2_LOW = -2.12194440e-4f;
  static final float ROUND = 12582912f;

  private FloatMath() {}

  /** e^x within 2 units in the last place; below -87 as at -87, above 88 as at 88. */
  public static float exp(float x) {
    float clamped = Math.max(-87f, Math.min(88f, x));
    float shifted = Math.fma(clamped, LOG2_E, ROUND);
    float n = shifted - ROUND;
    float r = Math.fma(n, -LN2_LOW, Math.fma(n, -LN2_HIGH, clamped));
    // Taylor's series to the sixth power: |r| ≤ ln 2 / 2, so the rest is below 2^-23.
    float p = 1f / 720;
    p = Math.fma(p, r, 1f / 120);
    p = Math.fma(p, r, 1f / 24);
    p = Math.fma(p, r, 1f / 6);
    p = Math.fma(p, r, 0.5f);
    p = Math.fma(p, r, 1f);
    p = Math.fma(p, r, 1f);
    return p * Float.intBitsToFloat((int) n + 127 << 23);
  }

  /** x / (1 + e^-x) (Elfwing et al. 2017). */
  public static float silu(float x) {
    return x / (1 + exp(-x));
  }

  /** Root mean square norm (Zhang and Sennrich 2019): out[i] = x[i] / sqrt(mean(x²) + epsilon) × weight[i]. */
  public static void rmsNorm(float[] x, int from, float[] weight, float epsilon, float[] out, int to) {
    float[] partial = new float[PARTIALS];
    for (int i = 0; i < weight.length; i++) {
      partial[i % PARTIALS] = Math.fma(x[from + i], x[from + i], partial[i % PARTIALS]);
    }
    float scale = 1 / (float) Math.sqrt(tree(partial) / weight.length + epsilon);
    for (int i = 0; i < weight.length; i++) {
      out[to + i] = x[from + i] * scale * weight[i];
    }
  }

  /** Replaces scores by e^(score - largest); returns their sum. */
  public static float exponentials(float[] scores, int count) {
    float largest = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      largest = Math.max(largest, scores[i]);
    }
    float[] partial = new float[PARTIALS];
    for (int i = 0; i < count; i++) {
      scores[i] = exp(scores[i] - largest);
      partial[i % PARTIALS] += scores[i];
    }
    return tree(partial);
  }

  private static float tree(float[] partial) {
    for (int half = PARTIALS / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        partial[i] += partial[i + half];
      }
    }
    return partial[0];
  }
}
