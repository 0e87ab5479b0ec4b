package dev.nibble.kernel;

/** Matrix products of one input with up to three matrices, shared out to a pool's workers in one go. */
public final class Products {
  /** Least tiles of a piece: fewer cost more to share out than to compute. */
  private static final int GRAIN = 2;

  private final WorkerPool pool;
  private final KernelMode mode;

  public Products(WorkerPool pool, KernelMode mode) {
    this.pool = pool;
    this.mode = mode;
  }

  /** The pool used. */
  public WorkerPool pool() {
    return pool;
  }

  /** The code used. */
  public KernelMode mode() {
    return mode;
  }

  /** {@code out[token × stride + row]} = row of the matrix · vector of the token. */
  public void multiply(Activations x, int tokens, TiledMatrix matrix, float[] out, int stride) {
    pool.run(matrix.tiles(), GRAIN, (worker, from, to) -> tiles(x, tokens, matrix, out, stride, from, to));
  }

  /** Two matrices with the same input. */
  public void multiply(Activations x, int tokens, TiledMatrix a, float[] outA, int strideA, TiledMatrix b, float[] outB, int strideB) {
    pool.run(a.tiles() + b.tiles(), GRAIN, (worker, from, to) -> {
      tiles(x, tokens, a, outA, strideA, from, Math.min(to, a.tiles()));
      tiles(x, tokens, b, outB, strideB, Math.max(0, from - a.tiles()), to - a.tiles());
    });
  }

  /** Three matrices with the same input. */
  public void multiply(
      Activations x, int tokens, TiledMatrix a, float[] outA, int strideA, TiledMatrix b, float[] outB, int strideB,
      TiledMatrix c, float[] outC, int strideC) {
    int both = a.tiles() + b.tiles();
    pool.run(both + c.tiles(), GRAIN, (worker, from, to) -> {
      tiles(x, tokens, a, outA, strideA, from, Math.min(to, a.tiles()));
      tiles(x, tokens, b, outB, strideB, Math.max(0, from - a.tiles()), Math.min(to - a.tiles(), b.tiles()));
      tiles(x, tokens, c, outC, strideC, Math.max(0, from - both), to - both);
    });
  }

  private void tiles(Activations x, int tokens, TiledMatrix matrix, float[] out, int stride, int from, int to) {
    if (from < to) {
      matrix.multiply(x, tokens, out, stride, from, to, mode);
    }
  }
}
