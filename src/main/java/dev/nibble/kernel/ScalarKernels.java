package dev.nibble.kernel;

import java.lang.foreign.MemorySegment;

/** Plain Java, the reference: what every other provider agrees with bit for bit, and what computes where there are no vectors. */
final class ScalarKernels extends KernelProvider {
  ScalarKernels() {
    super("SCALAR", 0);
  }

  @Override
  void int4(MemorySegment data, long tileBytes, boolean affine, int blocks, Activations x, int tokens, float[] out, int stride, int from, int to, Panel panel) {
    Q4Reference.multiply(data, tileBytes, affine, blocks, x, tokens, out, stride, from, to);
  }

  @Override
  void int8(MemorySegment data, long tileBytes, boolean sixBits, int blocks, Activations x, int tokens, float[] out, int stride, int from, int to) {
    Int8Reference.multiply(data, tileBytes, sixBits, blocks, x, tokens, out, stride, from, to);
  }

  @Override
  void half(MemorySegment data, long tileBytes, boolean brain, int columns, Activations x, int tokens, float[] out, int stride, int from, int to) {
    for (int tile = from; tile < to; tile++) {
      FloatReference.multiply(FloatReference.halves(data, tile * tileBytes, columns, brain), columns, x, tokens, out, stride, tile);
    }
  }

  @Override
  void floats(MemorySegment data, long tileBytes, int columns, Activations x, int tokens, float[] out, int stride, int from, int to) {
    for (int tile = from; tile < to; tile++) {
      FloatReference.multiply(FloatReference.floats(data, tile * tileBytes, columns), columns, x, tokens, out, stride, tile);
    }
  }

  @Override
  void unpack(PageLayout layout, int[] page, int at, float[] scales, float[] zeros, float[] out) {
    PageReference.unpack(layout, page, at, out);
  }

  @Override
  void score(float[] queries, int at, int stride, int rows, int width, float[] keys, int keysAt, float[] out, int outAt) {
    PageReference.score(queries, at, stride, rows, width, keys, keysAt, out, outAt);
  }

  @Override
  float maximum(float[] scores, int at, float[] partials) {
    return PageReference.maximum(scores, at);
  }

  @Override
  void exponentials(float[] scores, int at, float most) {
    PageReference.exponentials(scores, at, most);
  }

  @Override
  float sum(float[] weights, int at, float[] partials) {
    return PageReference.sum(weights, at, partials);
  }

  @Override
  void blend(
      float[] weights, int at, int rows, int from, int to, float[] values, int valuesAt, int width, float[] factors, int factorsAt, float[] out, int outAt) {
    PageReference.blend(weights, at, rows, from, to, values, valuesAt, width, factors, factorsAt, out, outAt);
  }

  @Override
  void rmsNorm(float[] x, int from, float[] weight, float epsilon, float[] out, int to) {
    FloatMath.rmsNorm(x, from, weight, epsilon, out, to);
  }

  @Override
  void addThenNorm(float[] x, int from, float[] added, int addedFrom, float[] weight, float epsilon, float[] out, int to) {
    FloatMath.add(x, from, added, addedFrom, weight.length);
    FloatMath.rmsNorm(x, from, weight, epsilon, out, to);
  }

  @Override
  void add(float[] x, int from, float[] added, int addedFrom, int count) {
    FloatMath.add(x, from, added, addedFrom, count);
  }

  @Override
  void gatedSilu(float[] gate, int gateFrom, float[] up, int upFrom, int count, float[] out, int to) {
    FloatMath.gatedSilu(gate, gateFrom, up, upFrom, count, out, to);
  }

  @Override
  void gatedGelu(float[] gate, int gateFrom, float[] up, int upFrom, int count, float[] out, int to) {
    FloatMath.gatedGelu(gate, gateFrom, up, upFrom, count, out, to);
  }

  @Override
  void softcap(float[] x, int from, int count, float cap) {
    FloatMath.softcap(x, from, count, cap);
  }

  @Override
  void rotateAdjacent(float[] x, int from, int heads, int width, float[] cosines, float[] sines, int table) {
    FloatMath.rotateAdjacent(x, from, heads, width, cosines, sines, table);
  }

  @Override
  void rotateHalves(float[] x, int from, int heads, int width, float[] cosines, float[] sines, int table) {
    FloatMath.rotateHalves(x, from, heads, width, cosines, sines, table);
  }

  @Override
  void quantize(Activations x, int from, int to) {
    for (int block = from; block < to; block++) {
      ActivationReference.quantize(x, block);
    }
  }

  @Override
  int read(MemorySegment memory, int from, int to) {
    return ReadReference.sum(memory, from, to);
  }
}
