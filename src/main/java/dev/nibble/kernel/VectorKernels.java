package dev.nibble.kernel;

/**
 * What all providers that compute by vectors share: element-wise steps and the rounding of inputs, in vectors of 128 bits at any width. They keep up with the
 * caches, and 4 vectors of 4 floats are the 16 partial sums of a reduction.
 */
abstract sealed class VectorKernels extends KernelProvider permits VectorKernels128, VectorKernels256 {
  VectorKernels(String name, int vectorBits) {
    super(name, vectorBits);
  }

  @Override
  final void rmsNorm(float[] x, int from, float[] weight, float epsilon, float[] out, int to) {
    if (weight.length % FloatMath.PARTIALS == 0) {
      ElementwiseKernel.rmsNorm(x, from, weight, epsilon, out, to);
    } else {
      FloatMath.rmsNorm(x, from, weight, epsilon, out, to);
    }
  }

  @Override
  final void addThenNorm(float[] x, int from, float[] added, int addedFrom, float[] weight, float epsilon, float[] out, int to) {
    if (weight.length % FloatMath.PARTIALS == 0) {
      ElementwiseKernel.addThenNorm(x, from, added, addedFrom, weight, epsilon, out, to);
    } else {
      FloatMath.add(x, from, added, addedFrom, weight.length);
      FloatMath.rmsNorm(x, from, weight, epsilon, out, to);
    }
  }

  @Override
  final void add(float[] x, int from, float[] added, int addedFrom, int count) {
    int head = ElementwiseKernel.whole(count);
    if (head > 0) {
      ElementwiseKernel.add(x, from, added, addedFrom, head);
    }
    FloatMath.add(x, from + head, added, addedFrom + head, count - head);
  }

  @Override
  final void gatedSilu(float[] gate, int gateFrom, float[] up, int upFrom, int count, float[] out, int to) {
    int head = ElementwiseKernel.whole(count);
    if (head > 0) {
      ElementwiseKernel.gatedSilu(gate, gateFrom, up, upFrom, head, out, to);
    }
    FloatMath.gatedSilu(gate, gateFrom + head, up, upFrom + head, count - head, out, to + head);
  }

  @Override
  final void gatedGelu(float[] gate, int gateFrom, float[] up, int upFrom, int count, float[] out, int to) {
    int head = ElementwiseKernel.whole(count);
    if (head > 0) {
      ElementwiseKernel.gatedGelu(gate, gateFrom, up, upFrom, head, out, to);
    }
    FloatMath.gatedGelu(gate, gateFrom + head, up, upFrom + head, count - head, out, to + head);
  }

  @Override
  final void softcap(float[] x, int from, int count, float cap) {
    int head = ElementwiseKernel.whole(count);
    if (head > 0) {
      ElementwiseKernel.softcap(x, from, head, cap);
    }
    FloatMath.softcap(x, from + head, count - head, cap);
  }

  @Override
  final void rotateAdjacent(float[] x, int from, int heads, int width, float[] cosines, float[] sines, int table) {
    if (width % 4 == 0) {
      ElementwiseKernel.rotateAdjacent(x, from, heads, width, cosines, sines, table);
    } else {
      FloatMath.rotateAdjacent(x, from, heads, width, cosines, sines, table);
    }
  }

  @Override
  final void rotateHalves(float[] x, int from, int heads, int width, float[] cosines, float[] sines, int table) {
    if (width % 8 == 0) {
      ElementwiseKernel.rotateHalves(x, from, heads, width, cosines, sines, table);
    } else {
      FloatMath.rotateHalves(x, from, heads, width, cosines, sines, table);
    }
  }

  @Override
  final void quantize(Activations x, int from, int to) {
    for (int block = from; block < to; block++) {
      ActivationKernel.quantize(x, block);
    }
  }
}
