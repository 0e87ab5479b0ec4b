package dev.nibble.kernel;

/** Matrix products of one input with up to three matrices, shared out to a pool's workers in one go. */
public final class Products {
  private final WorkerPool pool;
  private final KernelMode mode;
  private final KernelScratch[] scratch;

  public Products(WorkerPool pool, KernelMode mode) {
    this.pool = pool;
    this.mode = mode;
    scratch = new KernelScratch[pool.size()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new KernelScratch();
    }
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
    // Two tiles share the broadcasts of a vector, many tiles those of several vectors.
    pool.run((matrix.tiles() + 1) / 2, grain(tokens), (worker, from, to) -> pairs(x, tokens, matrix, out, stride, worker, from, to));
  }

  /** Two matrices with the same input. */
  public void multiply(Activations x, int tokens, TiledMatrix a, float[] outA, int strideA, TiledMatrix b, float[] outB, int strideB) {
    int pairsA = (a.tiles() + 1) / 2;
    pool.run(pairsA + (b.tiles() + 1) / 2, grain(tokens), (worker, from, to) -> {
      pairs(x, tokens, a, outA, strideA, worker, from, Math.min(to, pairsA));
      pairs(x, tokens, b, outB, strideB, worker, Math.max(0, from - pairsA), to - pairsA);
    });
  }

  /** Three matrices with the same input. */
  public void multiply(
      Activations x, int tokens, TiledMatrix a, float[] outA, int strideA, TiledMatrix b, float[] outB, int strideB,
      TiledMatrix c, float[] outC, int strideC) {
    int pairsA = (a.tiles() + 1) / 2;
    int pairsB = (b.tiles() + 1) / 2;
    int both = pairsA + pairsB;
    pool.run(both + (c.tiles() + 1) / 2, grain(tokens), (worker, from, to) -> {
      pairs(x, tokens, a, outA, strideA, worker, from, Math.min(to, pairsA));
      pairs(x, tokens, b, outB, strideB, worker, Math.max(0, from - pairsA), Math.min(to - pairsA, pairsB));
      pairs(x, tokens, c, outC, strideC, worker, Math.max(0, from - both), to - both);
    });
  }

  private static int grain(int tokens) {
    return tokens == 1 ? 2 : 8;
  }

  private void pairs(Activations x, int tokens, TiledMatrix matrix, float[] out, int stride, int worker, int from, int to) {
    int lastTile = Math.min(2 * to, matrix.tiles());
    if (2 * from < lastTile) {
      matrix.multiply(x, tokens, out, stride, 2 * from, lastTile, mode, scratch[worker]);
    }
  }
}
