package dev.nibble.kernel;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Times the page kernels' vectors against plain loops, for the same reason as {@link KernelCheck} does with products. */
public final class PageKernelCheck {
  private static final int WIDTH = 64;
  private static final int[] ROWS = {1, 8};
  private static final int WARM_UPS = 3000; // enough for a just-in-time compiler's last level
  private static final int ROUNDS = 15;
  private static final int REPEATS = 8; // a page takes microseconds
  private static final long PATIENCE_NANOS = 400_000_000L; // boxed kernels take milliseconds a page

  private PageKernelCheck() {}

  /**
   * Speed of what is done with a page of one head.
   *
   * @param work such as "unpack 4" or "attend" (score, weigh and blend)
   * @param rows queries together; 0 where there are none
   * @param scalarNanos shortest time by plain loops
   * @param vectorNanos shortest time by vectors
   */
  public record Result(String work, int rows, long scalarNanos, long vectorNanos) {
    /** How many times faster vectors are. */
    public double gain() {
      return (double) scalarNanos / vectorNanos;
    }

    /** Whether the vector kernel is vector code. */
    public boolean passes() {
      return gain() >= KernelCheck.LEAST_GAIN;
    }
  }

  /** Measures on this thread; takes some seconds. */
  public static List<Result> run(KernelProvider vectors) {
    List<Result> results = new ArrayList<>();
    float[] numbers = new float[WIDTH * PageLayout.TOKENS];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = i % 255 - 127;
    }
    for (PageFormat format : List.of(PageFormat.F16, PageFormat.INT8, PageFormat.INT4, PageFormat.INT2)) {
      PageLayout layout = PageLayout.values(format, WIDTH);
      int[] page = new int[layout.ints()];
      layout.pack(numbers, 0, page, 0);
      float[] out = new float[layout.numbers()];
      PageKernels plain = new PageKernels(Kernels.SCALAR, layout);
      PageKernels fast = new PageKernels(vectors, layout);
      results.add(new Result("unpack " + format.label().toUpperCase(Locale.ROOT), 0, shortest(() -> plain.unpack(layout, page, 0, out)),
          shortest(() -> fast.unpack(layout, page, 0, out))));
    }
    for (int rows : ROWS) {
      results.add(new Result("attend", rows, shortest(attend(Kernels.SCALAR, rows, numbers)), shortest(attend(vectors, rows, numbers))));
    }
    return results;
  }

  private static Runnable attend(KernelProvider provider, int rows, float[] numbers) {
    PageKernels kernels = new PageKernels(provider);
    float[] queries = new float[rows * WIDTH];
    java.util.Arrays.fill(queries, 0.001f);
    float[] scores = new float[rows * PageLayout.TOKENS];
    float[] largest = new float[rows];
    float[] sums = new float[rows];
    float[] factors = new float[rows];
    float[] out = new float[rows * WIDTH];
    return () -> {
      kernels.score(queries, 0, WIDTH, rows, WIDTH, numbers, 0, scores, 0);
      for (int row = 0; row < rows; row++) {
        largest[row] = Float.NEGATIVE_INFINITY;
        kernels.weigh(scores, row * PageLayout.TOKENS, 0, PageLayout.TOKENS, largest, sums, factors, row);
      }
      kernels.blend(scores, 0, rows, 0, PageLayout.TOKENS, numbers, 0, WIDTH, factors, 0, out, 0);
    };
  }

  private static long shortest(Runnable work) {
    long shortest = Long.MAX_VALUE;
    long end = System.nanoTime() + PATIENCE_NANOS;
    for (int round = -WARM_UPS; round < ROUNDS; round++) {
      long start = System.nanoTime();
      for (int i = 0; i < REPEATS; i++) {
        work.run();
      }
      long now = System.nanoTime();
      shortest = Math.min(shortest, (now - start) / REPEATS);
      if (now > end) {
        break;
      }
    }
    return shortest;
  }
}
