package dev.nibble.kernel;

import java.util.Objects;

/**
 * What attention does with one page of one key-value head, for several query rows: unpacks it, scores, turns scores into weights, and blends values.
 * Checks ranges once, then goes to a provider's code; all give the same bits, and a row's do not depend on how many
 * rows come with it. Holds scratch memory, so one worker uses it at a time.
 */
public final class PageKernels {
  private static final int TOKENS = PageLayout.TOKENS;

  private final KernelProvider kernels;
  private final float[] scales;
  private final float[] zeros;
  private final float[] partials = new float[FloatMath.PARTIALS];

  /** @param layouts of the pages that will be unpacked */
  public PageKernels(KernelProvider kernels, PageLayout... layouts) {
    this.kernels = kernels;
    int most = 0;
    for (PageLayout layout : layouts) {
      most = Math.max(most, layout.parameterInts());
    }
    scales = new float[most];
    zeros = new float[most];
  }

  /** Unpacks a head's keys or values: out[i] is number i of the layout. */
  public void unpack(PageLayout layout, int[] page, int at, float[] out) {
    Objects.checkFromIndexSize(at, layout.ints(), page.length);
    Objects.checkIndex(layout.numbers() - 1, out.length);
    Objects.checkFromIndexSize(0, layout.parameterInts(), scales.length);
    kernels.unpack(layout, page, at, scales, zeros, out);
  }

  /**
   * {@code out[row × 64 + t]} = Σ query[row][c] × keys[c][t], channels in order.
   *
   * @param stride distance of two rows' queries
   * @param keys [width][64]
   */
  public void score(float[] queries, int at, int stride, int rows, int width, float[] keys, int keysAt, float[] out, int outAt) {
    Objects.checkFromIndexSize(at, (rows - 1) * stride + width, queries.length);
    Objects.checkFromIndexSize(keysAt, width * TOKENS, keys.length);
    Objects.checkFromIndexSize(outAt, rows * TOKENS, out.length);
    kernels.score(queries, at, stride, rows, width, keys, keysAt, out, outAt);
  }

  /**
   * One row's step of the online softmax (Milakov and Gimelshein 2018): scores of a page become weights e^(score - largest so far).
   *
   * @param from first token seen
   * @param to token after the last one seen; weights of others become zero
   * @param largest [row] largest score so far, negative infinity before the first page
   * @param sums [row] sum of the weights so far
   * @param factors [row] receives what sums so far must be multiplied by
   */
  public void weigh(float[] scores, int at, int from, int to, float[] largest, float[] sums, float[] factors, int row) {
    Objects.checkFromIndexSize(at, TOKENS, scores.length);
    Objects.checkFromToIndex(from, to, TOKENS);
    hide(scores, at, from, to, Float.NEGATIVE_INFINITY);
    float before = largest[row];
    float most = Math.max(before, kernels.maximum(scores, at, partials));
    kernels.exponentials(scores, at, most);
    hide(scores, at, from, to, 0);
    float sum = kernels.sum(scores, at, partials);
    float factor = FloatMath.exp(before - most);
    largest[row] = most;
    sums[row] = Math.fma(sums[row], factor, sum);
    factors[row] = factor;
  }

  private static void hide(float[] scores, int at, int from, int to, float replacement) {
    for (int t = 0; t < from; t++) {
      scores[at + t] = replacement;
    }
    for (int t = to; t < TOKENS; t++) {
      scores[at + t] = replacement;
    }
  }

  /**
   * {@code out[row][c] = out[row][c] × factors[row] + Σ weights[row × 64 + t] × values[t][c]}, tokens {@code from} to {@code to - 1} in order.
   *
   * @param values [64][width]
   * @param width of values and of each row of out; a multiple of 8
   */
  public void blend(
      float[] weights, int at, int rows, int from, int to, float[] values, int valuesAt, int width, float[] factors, int factorsAt,
      float[] out, int outAt) {
    Objects.checkFromIndexSize(at, rows * TOKENS, weights.length);
    Objects.checkFromToIndex(from, to, TOKENS);
    Objects.checkFromIndexSize(valuesAt, TOKENS * width, values.length);
    Objects.checkFromIndexSize(factorsAt, rows, factors.length);
    Objects.checkFromIndexSize(outAt, rows * width, out.length);
    kernels.blend(weights, at, rows, from, to, values, valuesAt, width, factors, factorsAt, out, outAt);
  }

  /**
   * Adds a span's attention to that of the spans before it: largest score, sum of weights, and channels not yet divided by it. A span that saw nothing
   * (sum 0) changes nothing.
   */
  public static void merge(
      float[] largest, float[] sums, float[] channels, int row, float[] spanLargest, float[] spanSums, float[] spanChannels, int spanRow, int width) {
    if (spanSums[spanRow] == 0) {
      return;
    }
    float most = Math.max(largest[row], spanLargest[spanRow]);
    float old = FloatMath.exp(largest[row] - most);
    float added = FloatMath.exp(spanLargest[spanRow] - most);
    largest[row] = most;
    sums[row] = Math.fma(spanSums[spanRow], added, sums[row] * old);
    for (int c = 0; c < width; c++) {
      channels[row * width + c] = Math.fma(spanChannels[spanRow * width + c], added, channels[row * width + c] * old);
    }
  }
}
