package dev.nibble.kernel;

/** Matrix products of one input with up to three matrices, shared out to a pool's workers in one go. Used by one thread at a time, as the pool is. */
public final class Products {
  private static final int MOST_MATRICES = 3; // query, key and value

  private final WorkerPool pool;
  private final KernelProvider kernels;
  private final Panel[] panels; // one for each worker
  private final WorkerPool.Range work = this::compute; // made once: a lambda for each product would be garbage for each

  // The products under way.
  private Activations x;
  private int tokens;
  private int parts;
  private final TiledMatrix[] matrices = new TiledMatrix[MOST_MATRICES];
  private final float[][] outs = new float[MOST_MATRICES][];
  private final int[] strides = new int[MOST_MATRICES];
  private final int[] ends = new int[MOST_MATRICES]; // shares of tiles up to this matrix's last

  public Products(WorkerPool pool, KernelProvider kernels) {
    this.pool = pool;
    this.kernels = kernels;
    panels = new Panel[pool.size()];
    for (int i = 0; i < panels.length; i++) {
      panels[i] = new Panel();
    }
  }

  /** The pool used. */
  public WorkerPool pool() {
    return pool;
  }

  /** The code used. */
  public KernelProvider kernels() {
    return kernels;
  }

  /** {@code out[token × stride + row]} = row of the matrix · vector of the token. */
  public void multiply(Activations x, int tokens, TiledMatrix matrix, float[] out, int stride) {
    begin(x, tokens);
    add(matrix, out, stride);
    run();
  }

  /** Two matrices with the same input. */
  public void multiply(Activations x, int tokens, TiledMatrix a, float[] outA, int strideA, TiledMatrix b, float[] outB, int strideB) {
    begin(x, tokens);
    add(a, outA, strideA);
    add(b, outB, strideB);
    run();
  }

  /** Three matrices with the same input. */
  public void multiply(
      Activations x, int tokens, TiledMatrix a, float[] outA, int strideA, TiledMatrix b, float[] outB, int strideB,
      TiledMatrix c, float[] outC, int strideC) {
    begin(x, tokens);
    add(a, outA, strideA);
    add(b, outB, strideB);
    add(c, outC, strideC);
    run();
  }

  private void begin(Activations x, int tokens) {
    this.x = x;
    this.tokens = tokens;
    parts = 0;
  }

  private void add(TiledMatrix matrix, float[] out, int stride) {
    matrices[parts] = matrix;
    outs[parts] = out;
    strides[parts] = stride;
    ends[parts] = (parts == 0 ? 0 : ends[parts - 1]) + Math.ceilDiv(matrix.tiles(), KernelProvider.TILES);
    parts++;
  }

  private void run() {
    pool.run(ends[parts - 1], 1, work);
  }

  /** Shares {@code from} to {@code to - 1}, counted through all matrices. */
  private void compute(int worker, int from, int to) {
    int first = 0;
    for (int part = 0; part < parts; part++) {
      int begin = KernelProvider.TILES * (Math.max(from, first) - first);
      int end = Math.min(KernelProvider.TILES * (Math.min(to, ends[part]) - first), matrices[part].tiles());
      if (begin < end) {
        matrices[part].multiply(x, tokens, outs[part], strides[part], begin, end, kernels, panels[worker]);
      }
      first = ends[part];
    }
  }
}
