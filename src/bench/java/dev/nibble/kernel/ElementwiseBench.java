package dev.nibble.kernel;

import java.util.Locale;

/**
 * Nanoseconds of what stands between matrix products, plain loops against vectors, on one thread with rows of the caches; and of an empty run over a
 * pool's workers. Arguments: threads of the pool, width, hidden width. Medians of 15 rounds.
 */
public final class ElementwiseBench {
  private static final int ROUNDS = 15;
  private static final int CALLS = 2000;
  private static final int HEAD_WIDTH = 64;

  private ElementwiseBench() {}

  public static void main(String[] arguments) {
    int threads = Integer.parseInt(arguments[0]);
    int width = Integer.parseInt(arguments[1]);
    int hidden = Integer.parseInt(arguments[2]);
    float[] x = row(Math.max(width, hidden));
    float[] added = row(Math.max(width, hidden));
    float[] out = new float[x.length];
    float[] weight = row(width);
    float[] cosines = new float[HEAD_WIDTH];
    float[] sines = new float[HEAD_WIDTH];
    java.util.Arrays.fill(cosines, 1); // rotating again and again must leave ordinary numbers
    Elementwise scalar = new Elementwise(Kernels.SCALAR);
    Elementwise vectors = new Elementwise(Kernels.VECTOR_128);
    System.out.printf(Locale.ROOT, "%-28s %10s %10s%n", "", "plain ns", "vector ns");
    compare("norm of " + width, scalar, vectors, code -> code.rmsNorm(x, 0, weight, 1e-5f, out, 0));
    compare("add + norm of " + width, scalar, vectors, code -> code.addThenNorm(x, 0, added, 0, weight, 1e-5f, out, 0));
    compare("SiLU x up of " + hidden, scalar, vectors, code -> code.gatedSilu(x, 0, added, 0, hidden, out, 0));
    compare("rotate " + width + ", adjacent", scalar, vectors, code -> code.rotateAdjacent(x, 0, width / HEAD_WIDTH, HEAD_WIDTH, cosines, sines, 0));
    compare("rotate " + width + ", halves", scalar, vectors, code -> code.rotateHalves(x, 0, width / HEAD_WIDTH, HEAD_WIDTH, cosines, sines, 0));
    Activations activations = new Activations(1, hidden);
    System.arraycopy(added, 0, activations.values(), 0, hidden);
    System.out.printf(Locale.ROOT, "%-28s %10s %10.0f%n", "quantise " + hidden, "", nanos(() -> activations.quantize(0, Kernels.VECTOR_128)));
    System.out.printf(Locale.ROOT, "%-28s %10s %10.0f%n", "table row of " + HEAD_WIDTH, "", nanos(() -> {
      for (int i = 0; i < HEAD_WIDTH / 2; i++) {
        out[2 * i] = (float) Angles.cosine(1000 / (i + 1.0));
        out[2 * i + 1] = (float) Angles.sine(1000 / (i + 1.0));
      }
    }));
    try (WorkerPool pool = new WorkerPool(threads)) {
      WorkerPool.Range nothing = (worker, from, to) -> {};
      System.out.printf(Locale.ROOT, "%-28s %10s %10.0f%n", "empty run, " + threads + " threads", "", nanos(() -> pool.run(64, 1, nothing)));
      int piece = 1024;
      WorkerPool.Range part = (worker, from, to) ->
          vectors.gatedSilu(x, from * piece, added, from * piece, Math.min(hidden, to * piece) - from * piece, out, from * piece);
      System.out.printf(Locale.ROOT, "%-28s %10s %10.0f%n", "SiLU x up, " + threads + " threads", "",
          nanos(() -> pool.run(Math.ceilDiv(hidden, piece), 1, part)));
      // What a run adds to the work in it: each item is known to take some time on its own.
      WorkerPool.Range busy = (worker, from, to) -> spin((to - from) * 2_000L);
      double run = nanos(() -> pool.run(32, 2, busy));
      System.out.printf(Locale.ROOT, "%-28s %10s %10.0f%n", "run beyond its work", "", run - 32 * 2_000.0 / threads);
    }
  }

  private static void spin(long nanos) {
    long end = System.nanoTime() + nanos;
    while (System.nanoTime() < end) {
      // computing, as far as a pool can tell
    }
  }

  private interface Pass {
    void run(Elementwise code);
  }

  private static void compare(String what, Elementwise scalar, Elementwise vectors, Pass pass) {
    System.out.printf(Locale.ROOT, "%-28s %10.0f %10.0f%n", what, nanos(() -> pass.run(scalar)), nanos(() -> pass.run(vectors)));
  }

  private static double nanos(Runnable call) {
    double[] times = new double[ROUNDS];
    for (int round = -ROUNDS; round < ROUNDS; round++) {
      long start = System.nanoTime();
      for (int i = 0; i < CALLS; i++) {
        call.run();
      }
      if (round >= 0) {
        times[round] = (double) (System.nanoTime() - start) / CALLS;
      }
    }
    java.util.Arrays.sort(times);
    return times[ROUNDS / 2];
  }

  private static float[] row(int length) {
    float[] row = new float[length];
    for (int i = 0; i < length; i++) {
      row[i] = (i * 7919 % 1000 - 500) / 500f;
    }
    return row;
  }
}
