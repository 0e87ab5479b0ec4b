package dev.nibble.kernel;

import java.util.Objects;

/**
 * What attention does with one page of one key-value head, for several query rows: unpacks it, scores, turns scores into weights, and blends values.
 * Checks ranges once, then goes to the code of the process' {@link KernelMode}; all give the same bits, and a row's do not depend on how many
 * rows come with it. Holds scratch memory, so one worker uses it at a time.
 */
public final class PageKernels {
  private static final int TOKENS = PageLayout.TOKENS;

  private final KernelMode mode;
  private final float[] scales;
  private final float[] zeros;
  private final float[] partials = new float[FloatMath.PARTIALS];

  /** @param layouts of the pages that will be unpacked */
  public PageKernels(KernelMode mode, PageLayout... layouts) {
    this.mode = mode;
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
    int numbers = layout.numbers();
    int groups = layout.parameterInts();
    int rows = at + groups;
    int runs = numbers / PageLayout.RUN;
    int shift = Integer.numberOfTrailingZeros(layout.group() / PageLayout.RUN);
    switch (mode) {
      case VECTOR_512, VECTOR_256 -> {
        PageKernel256.unpackParameters(page, at, groups, scales, zeros);
        switch (layout.format()) {
          case F32 -> PageKernel256.unpackFloats(page, rows, numbers, out);
          case F16 -> PageKernel256.unpackHalves(page, rows, numbers, out);
          case INT8 -> PageKernel256.unpack8(page, rows, runs, shift, scales, zeros, out);
          case INT4 -> PageKernel256.unpack4(page, rows, runs, shift, scales, zeros, out);
          case INT2 -> PageKernel256.unpack2(page, rows, runs, shift, scales, zeros, out);
        }
      }
      case VECTOR_128 -> {
        PageKernel128.unpackParameters(page, at, groups, scales, zeros);
        switch (layout.format()) {
          case F32 -> PageKernel128.unpackFloats(page, rows, numbers, out);
          case F16 -> PageKernel128.unpackHalves(page, rows, numbers, out);
          case INT8 -> PageKernel128.unpack8(page, rows, runs, shift, scales, zeros, out);
          case INT4 -> PageKernel128.unpack4(page, rows, runs, shift, scales, zeros, out);
          case INT2 -> PageKernel128.unpack2(page, rows, runs, shift, scales, zeros, out);
        }
      }
      case SCALAR -> PageReference.unpack(layout, page, at, out);
    }
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
    int row = 0;
    switch (mode) {
      case VECTOR_512, VECTOR_256 -> {
        for (; row + 3 < rows; row += 4) {
          PageKernel256.scoreFour(queries, at + row * stride, stride, width, keys, keysAt, out, outAt + row * TOKENS);
        }
        for (; row < rows; row++) {
          PageKernel256.scoreOne(queries, at + row * stride, width, keys, keysAt, out, outAt + row * TOKENS);
        }
      }
      case VECTOR_128 -> {
        for (; row + 3 < rows; row += 4) {
          PageKernel128.scoreFour(queries, at + row * stride, stride, width, keys, keysAt, out, outAt + row * TOKENS);
        }
        for (; row < rows; row++) {
          PageKernel128.scoreOne(queries, at + row * stride, width, keys, keysAt, out, outAt + row * TOKENS);
        }
      }
      case SCALAR -> PageReference.score(queries, at, stride, rows, width, keys, keysAt, out, outAt);
    }
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
    float most = Math.max(before, switch (mode) {
      case VECTOR_512, VECTOR_256 -> PageKernel256.maximum(scores, at, partials);
      case VECTOR_128 -> PageKernel128.maximum(scores, at, partials);
      case SCALAR -> PageReference.maximum(scores, at);
    });
    switch (mode) {
      case VECTOR_512, VECTOR_256 -> PageKernel256.exponentials(scores, at, most);
      case VECTOR_128 -> PageKernel128.exponentials(scores, at, most);
      case SCALAR -> PageReference.exponentials(scores, at, most);
    }
    hide(scores, at, from, to, 0);
    float sum = switch (mode) {
      case VECTOR_512, VECTOR_256 -> PageKernel256.sum(scores, at, partials);
      case VECTOR_128 -> PageKernel128.sum(scores, at, partials);
      case SCALAR -> PageReference.sum(scores, at, partials);
    };
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
    int row = 0;
    switch (mode) {
      case VECTOR_512, VECTOR_256 -> {
        for (; row + 3 < rows; row += 4) {
          PageKernel256.blendFour(weights, at + row * TOKENS, from, to, values, valuesAt, width, factors, factorsAt + row, out, outAt + row * width);
        }
        for (; row < rows; row++) {
          PageKernel256.blendOne(weights, at + row * TOKENS, from, to, values, valuesAt, width, factors[factorsAt + row], out, outAt + row * width);
        }
      }
      case VECTOR_128 -> {
        for (; row + 3 < rows; row += 4) {
          PageKernel128.blendFour(weights, at + row * TOKENS, from, to, values, valuesAt, width, factors, factorsAt + row, out, outAt + row * width);
        }
        for (; row < rows; row++) {
          PageKernel128.blendOne(weights, at + row * TOKENS, from, to, values, valuesAt, width, factors[factorsAt + row], out, outAt + row * width);
        }
      }
      case SCALAR -> PageReference.blend(weights, at, rows, from, to, values, valuesAt, width, factors, factorsAt, out, outAt);
    }
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
