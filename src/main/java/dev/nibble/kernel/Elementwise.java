package dev.nibble.kernel;

/**
 * What stands between matrix products: norms, SiLU, rotary embedding and sums, on rows of floats. Same bits by every provider:
 * {@link FloatMath} is the reference. Nothing is allocated, and any number of threads may use one object.
 */
public final class Elementwise {
  private final KernelProvider kernels;

  public Elementwise(KernelProvider kernels) {
    this.kernels = kernels;
  }

  /** Root mean square norm (Zhang and Sennrich 2019): out[to + i] = x[from + i] / sqrt(mean(x²) + epsilon) × weight[i], for all of weight. */
  public void rmsNorm(float[] x, int from, float[] weight, float epsilon, float[] out, int to) {
    kernels.rmsNorm(x, from, weight, epsilon, out, to);
  }

  /** {@link #add} and then {@link #rmsNorm} of the sum, in one pass. */
  public void addThenNorm(float[] x, int from, float[] added, int addedFrom, float[] weight, float epsilon, float[] out, int to) {
    kernels.addThenNorm(x, from, added, addedFrom, weight, epsilon, out, to);
  }

  /** x[from + i] += added[addedFrom + i]. */
  public void add(float[] x, int from, float[] added, int addedFrom, int count) {
    kernels.add(x, from, added, addedFrom, count);
  }

  /** out[to + i] = silu(gate[gateFrom + i]) × up[upFrom + i] (SwiGLU, Shazeer 2020). */
  public void gatedSilu(float[] gate, int gateFrom, float[] up, int upFrom, int count, float[] out, int to) {
    kernels.gatedSilu(gate, gateFrom, up, upFrom, count, out, to);
  }

  /** out[to + i] = gelu(gate[gateFrom + i]) × up[upFrom + i], GELU by its formula with tanh (GeGLU, Shazeer 2020). */
  public void gatedGelu(float[] gate, int gateFrom, float[] up, int upFrom, int count, float[] out, int to) {
    kernels.gatedGelu(gate, gateFrom, up, upFrom, count, out, to);
  }

  /** x[from + i] = cap × tanh(x[from + i] / cap) (Gemma 2, 2024). */
  public void softcap(float[] x, int from, int count, float cap) {
    kernels.softcap(x, from, count, cap);
  }

  /**
   * Rotary embedding (Su et al. 2021) of heads that stand side by side, pairs being channels 2i and 2i + 1: each channel becomes
   * {@code channel × cosine + partner × sine}, so the sine of a pair's first channel is the negative of the angle's.
   *
   * @param width channels of a head, even
   * @param cosines [width] from {@code table} on, one for each channel
   * @param sines [width], likewise
   */
  public void rotateAdjacent(float[] x, int from, int heads, int width, float[] cosines, float[] sines, int table) {
    kernels.rotateAdjacent(x, from, heads, width, cosines, sines, table);
  }

  /** As {@link #rotateAdjacent}, pairs being channels i and i + width / 2. */
  public void rotateHalves(float[] x, int from, int heads, int width, float[] cosines, float[] sines, int table) {
    kernels.rotateHalves(x, from, heads, width, cosines, sines, table);
  }
}
