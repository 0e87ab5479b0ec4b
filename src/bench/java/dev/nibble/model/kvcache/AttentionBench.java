package dev.nibble.model.kvcache;

import dev.nibble.kernel.KernelProvider;
import dev.nibble.kernel.Kernels;
import dev.nibble.kernel.PageFormat;
import dev.nibble.kernel.WorkerPool;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/**
 * Time of attention alone, for each format of the cache: of one token after a context (decode), and of 64 tokens together after it (prefill). Arguments: threads,
 * layers, key-value heads, query heads of each, head width, context. Medians of 9 rounds, formats in turn.
 */
public final class AttentionBench {
  private static final int ROUNDS = 9;
  private static final int WARM_UPS = 6;
  private static final int PREFILL = 64;

  private AttentionBench() {}

  /** A cache filled with random keys and values, and what attends to it. */
  private static final class Filled {
    final KvCacheShape shape;
    final KvCache cache;
    final PagedAttention attention;
    final double[] decode = new double[ROUNDS];
    final double[] prefill = new double[ROUNDS];

    Filled(KvCacheShape shape, int group, int context, WorkerPool pool, KernelProvider mode, float[] numbers) {
      this.shape = shape;
      cache = new KvCache(new PagePool(shape), context + PREFILL);
      attention = new PagedAttention(shape, group, pool, mode);
      cache.reserve(context + PREFILL);
      float[] key = new float[shape.width()];
      for (int position = 0; position < context; position++) {
        for (int layer = 0; layer < shape.layers(); layer++) {
          for (int head = 0; head < shape.heads(); head++) {
            if (position % 64 == 0) {
              cache.begin(position / 64, layer, head);
            }
            int at = (position * 31 + head * 7 + layer) % 4000;
            System.arraycopy(numbers, at, key, 0, key.length);
            cache.put(layer, head, position, key, 0, numbers, at + 1000);
          }
        }
      }
    }
  }

  public static void main(String[] arguments) {
    int[] n = Arrays.stream(arguments).mapToInt(Integer::parseInt).toArray();
    KernelProvider mode = Kernels.choose().provider();
    int context = n[5] / 64 * 64;
    float[] numbers = new float[PREFILL * n[2] * n[3] * n[4] + 10_000];
    Random random = new Random(1);
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = (float) random.nextGaussian();
    }
    List<KvCacheFormat> formats = List.of(new KvCacheFormat(PageFormat.F16, PageFormat.F16, 64, false), KvCacheFormat.F32, KvCacheFormat.INT8,
        new KvCacheFormat(PageFormat.INT8, PageFormat.INT4, 64, false), new KvCacheFormat(PageFormat.INT4, PageFormat.INT4, 64, false),
        new KvCacheFormat(PageFormat.INT4, PageFormat.INT4, 64, true), new KvCacheFormat(PageFormat.INT2, PageFormat.INT2, 64, false));
    try (WorkerPool pool = new WorkerPool(n[0])) {
      List<Filled> all =
          formats.stream().map(format -> new Filled(new KvCacheShape(n[1], n[2], n[4], format), n[3], context, pool, mode, numbers)).toList();
      int keyStride = n[2] * n[4];
      int queryStride = keyStride * n[3];
      float[] out = new float[PREFILL * queryStride];
      Scoring scoring = new Scoring((float) (1 / Math.sqrt(n[4])));
      for (int round = -WARM_UPS; round < ROUNDS; round++) {
        for (Filled filled : all) {
          long start = System.nanoTime();
          for (int layer = 0; layer < n[1]; layer++) {
            filled.attention.attend(
                filled.cache, layer, scoring, context - 1, 1, numbers, 0, queryStride, numbers, 0, keyStride, numbers, 0, keyStride, out, 0, queryStride);
          }
          long middle = System.nanoTime();
          // A layer stands for all.
          filled.attention.attend(
              filled.cache, 0, scoring, context - PREFILL, PREFILL, numbers, 0, queryStride, numbers, 0, keyStride, numbers, 0, keyStride, out, 0, queryStride);
          long end = System.nanoTime();
          if (round >= 0) {
            filled.decode[round] = (middle - start) / 1e6;
            filled.prefill[round] = (end - middle) / 1e6 * n[1] / PREFILL;
          }
        }
      }
      System.out.printf(Locale.ROOT, "%d threads, %s, %d layers, %d x %d heads of %d channels, %d tokens%n", n[0], mode, n[1], n[2], n[3], n[4], context);
      System.out.println("| cache | MB | decode ms/token | of F16 | GB/s of pages | prefill ms/token |");
      System.out.println("| --- | ---: | ---: | ---: | ---: | ---: |");
      for (Filled filled : all) {
        double decode = median(filled.decode);
        double bytes = filled.shape.bytesPerToken() * context;
        System.out.printf(Locale.ROOT, "| %s | %.1f | %.2f | %.2f | %.1f | %.2f |%n", filled.shape.format(), bytes / 1e6, decode,
            decode / median(all.getFirst().decode), bytes / decode / 1e6, median(filled.prefill));
      }
    }
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
