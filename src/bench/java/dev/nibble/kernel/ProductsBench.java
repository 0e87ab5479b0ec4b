package dev.nibble.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Locale;

/**
 * Speed of the INT4 products against plain reading of the same bytes, in one run: decode with one token, prefill with 64. Arguments:
 * threads, rows, columns. Medians of 15 rounds, the three measured in turn.
 */
public final class ProductsBench {
  private static final int ROUNDS = 15;
  private static final int TOKENS = 64;

  private ProductsBench() {}

  public static void main(String[] arguments) {
    int threads = Integer.parseInt(arguments[0]);
    int rows = Integer.parseInt(arguments[1]);
    int columns = Integer.parseInt(arguments[2]);
    try (Arena arena = Arena.ofShared(); WorkerPool pool = new WorkerPool(threads)) {
      MemorySegment source = arena.allocate(NumericFormat.Q4_0.bytes((long) rows * columns), 8);
      TiledMatrix matrix = TilePacker.pack(NumericFormat.Q4_0, source, rows, columns, arena, pool);
      Activations x = new Activations(TOKENS, columns);
      for (int i = 0; i < x.values().length; i++) {
        x.values()[i] = i % 255 - 127;
      }
      for (int token = 0; token < TOKENS; token++) {
        x.quantize(token);
      }
      long[] memory = new long[(int) (matrix.bytes() / 8)];
      int stride = TiledMatrix.padded(rows);
      float[] out = new float[TOKENS * stride];
      Products products = new Products(pool, KernelMode.VECTOR_256);
      double[] read = new double[ROUNDS];
      double[] decode = new double[ROUNDS];
      double[] prefill = new double[ROUNDS];
      for (int round = -15; round < ROUNDS; round++) {
        long start = System.nanoTime();
        long[] sums = new long[threads];
        pool.run(memory.length / 4096, 8, (worker, from, to) -> {
          long a = 0;
          for (int i = from * 4096; i < to * 4096; i++) {
            a += memory[i];
          }
          sums[worker] += a;
        });
        long afterRead = System.nanoTime();
        products.multiply(x, 1, matrix, out, stride);
        long afterDecode = System.nanoTime();
        products.multiply(x, TOKENS, matrix, out, stride);
        long afterPrefill = System.nanoTime();
        if (round >= 0) {
          read[round] = 8.0 * memory.length / (afterRead - start);
          decode[round] = (double) matrix.bytes() / (afterDecode - afterRead);
          prefill[round] = (double) rows * columns * TOKENS / (afterPrefill - afterDecode);
        }
      }
      System.out.printf(Locale.ROOT, "%d threads, %d x %d: read %.1f GB/s, decode %.1f GB/s (%.2f of reading), prefill %.1f GMAC/s%n",
          threads, rows, columns, median(read), median(decode), median(decode) / median(read), median(prefill));
    }
  }

  private static double median(double[] values) {
    Arrays.sort(values);
    return values[values.length / 2];
  }
}
