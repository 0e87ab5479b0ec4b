package dev.nibble.kernel;

import dev.nibble.kernel.tile.TileLayout;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/**
 * Times each layout's vector kernel against its scalar twin. A compiler that did not turn vector expressions into vector instructions
 * leaves code that computes the same bits hundreds of times slower, and says nothing: this is how a build finds out.
 */
public final class KernelCheck {
  /** What vector code must gain over plain loops to count as vector code. Eight lanes or more gain 4 to 20; boxed vectors lose a factor of 100. */
  public static final double LEAST_GAIN = 1.5;

  private static final int ROWS = 256;
  private static final int COLUMNS = 1024; // a multiple of every layout's block
  private static final int[] TOKENS = {1, 8};
  private static final int WARM_UPS = 300; // enough for a just-in-time compiler's last level
  private static final int ROUNDS = 15;
  private static final long PATIENCE_NANOS = 400_000_000L; // boxed kernels take 0.1 s a product

  private KernelCheck() {}

  /**
   * Speed of one layout's products.
   *
   * @param tokens vectors multiplied at a time
   * @param scalarNanos shortest time of a product by plain loops
   * @param vectorNanos shortest time of it by vectors
   */
  public record Result(TileLayout layout, int tokens, long scalarNanos, long vectorNanos) {
    /** How many times faster vectors are. */
    public double gain() {
      return (double) scalarNanos / vectorNanos;
    }

    /** Multiply-adds in a second by vectors. */
    public double multiplyAddsPerSecond() {
      return 1e9 * ROWS * COLUMNS * tokens / vectorNanos;
    }

    /** Whether the vector kernel is vector code. */
    public boolean passes() {
      return gain() >= LEAST_GAIN;
    }
  }

  /** Measures all layouts on this thread; takes seconds. */
  public static List<Result> run(KernelProvider vectors) {
    List<Result> results = new ArrayList<>();
    for (TileLayout layout : TileLayout.values()) {
      // Zero weights in every layout: how fast is what matters, and zeros are finite. Global: closing arenas is not for every image.
      TiledMatrix matrix = TiledMatrix.of(layout, ROWS, COLUMNS, Arena.global().allocate(layout.bytes(ROWS, COLUMNS), 64));
      for (int tokens : TOKENS) {
        Activations x = new Activations(tokens, COLUMNS);
        for (int i = 0; i < x.values().length; i++) {
          x.values()[i] = i % 255 - 127;
        }
        for (int token = 0; token < tokens; token++) {
          x.quantize(token, Kernels.SCALAR);
        }
        results.add(new Result(layout, tokens, shortest(matrix, x, tokens, Kernels.SCALAR), shortest(matrix, x, tokens, vectors)));
      }
    }
    return results;
  }

  private static long shortest(TiledMatrix matrix, Activations x, int tokens, KernelProvider kernels) {
    float[] out = new float[tokens * ROWS];
    Panel panel = new Panel();
    long shortest = Long.MAX_VALUE;
    long end = System.nanoTime() + PATIENCE_NANOS;
    for (int round = -WARM_UPS; round < ROUNDS; round++) {
      long start = System.nanoTime();
      matrix.multiply(x, tokens, out, ROWS, 0, matrix.tiles(), kernels, panel);
      long now = System.nanoTime();
      shortest = Math.min(shortest, now - start);
      if (now > end) {
        break;
      }
    }
    return shortest;
  }
}
