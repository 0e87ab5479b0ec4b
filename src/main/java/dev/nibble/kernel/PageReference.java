package dev.nibble.kernel;

/** The page kernels in plain Java: what {@link PageKernel256} and {@link PageKernel128} must equal bit for bit. */
final class PageReference {
  private PageReference() {}

  /** out[i] = number i of the packed page part. */
  static void unpack(PageLayout layout, int[] page, int at, float[] out) {
    int bits = layout.format().bits();
    int runsPerRow = 32 / bits;
    int rows = at + layout.parameterInts();
    for (int i = 0; i < layout.numbers(); i++) {
      int run = i / PageLayout.RUN;
      int word = page[rows + run / runsPerRow * PageLayout.RUN + i % PageLayout.RUN] >>> run % runsPerRow * bits;
      out[i] = switch (layout.format()) {
        case F32 -> Float.intBitsToFloat(word);
        case F16 -> PageLayout.toFloat(word & 0xffff);
        case INT8, INT4, INT2 -> {
          int parameters = page[at + i / layout.group()];
          yield Math.fma(word & (1 << bits) - 1, PageLayout.toFloat(parameters & 0xffff), PageLayout.toFloat(parameters >>> 16));
        }
      };
    }
  }

  /** out[row × 64 + t] = Σ query[row][c] × keys[c][t], channels in order. */
  static void score(float[] queries, int at, int stride, int rows, int width, float[] keys, int keysAt, float[] out, int outAt) {
    for (int row = 0; row < rows; row++) {
      for (int t = 0; t < PageLayout.TOKENS; t++) {
        float sum = 0;
        for (int c = 0; c < width; c++) {
          sum = Math.fma(queries[at + row * stride + c], keys[keysAt + c * PageLayout.TOKENS + t], sum);
        }
        out[outAt + row * PageLayout.TOKENS + t] = sum;
      }
    }
  }

  static float maximum(float[] scores, int at) {
    float most = Float.NEGATIVE_INFINITY;
    for (int t = 0; t < PageLayout.TOKENS; t++) {
      most = Math.max(most, scores[at + t]);
    }
    return most;
  }

  static void exponentials(float[] scores, int at, float most) {
    for (int t = 0; t < PageLayout.TOKENS; t++) {
      scores[at + t] = FloatMath.exp(scores[at + t] - most);
    }
  }

  /** 16 partial sums of every sixteenth weight, then a tree 16 → 8 → 4 → 2 → 1. */
  static float sum(float[] weights, int at, float[] partials) {
    for (int i = 0; i < FloatMath.PARTIALS; i++) {
      partials[i] = weights[at + i] + weights[at + 16 + i] + weights[at + 32 + i] + weights[at + 48 + i];
    }
    for (int half = FloatMath.PARTIALS / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) {
        partials[i] += partials[i + half];
      }
    }
    return partials[0];
  }

  /** out[row][c] = out[row][c] × factors[row] + Σ weights[row × 64 + t] × values[t][c], tokens {@code from} to {@code to - 1} in order. */
  static void blend(
      float[] weights, int at, int rows, int from, int to, float[] values, int valuesAt, int width, float[] factors, int factorsAt,
      float[] out, int outAt) {
    for (int row = 0; row < rows; row++) {
      for (int c = 0; c < width; c++) {
        float sum = out[outAt + row * width + c] * factors[factorsAt + row];
        for (int t = from; t < to; t++) {
          sum = Math.fma(weights[at + row * PageLayout.TOKENS + t], values[valuesAt + t * width + c], sum);
        }
        out[outAt + row * width + c] = sum;
      }
    }
  }
}
