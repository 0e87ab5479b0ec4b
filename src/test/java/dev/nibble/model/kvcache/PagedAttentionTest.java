package dev.nibble.model.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import com.sun.management.ThreadMXBean;
import dev.nibble.kernel.Hadamard;
import dev.nibble.kernel.KernelProvider;
import dev.nibble.kernel.Kernels;
import dev.nibble.kernel.PageFormat;
import dev.nibble.kernel.PageKernels;
import dev.nibble.kernel.PageLayout;
import dev.nibble.kernel.TestModes;
import dev.nibble.kernel.WorkerPool;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Attention over pages against softmax as the textbook has it, in doubles, over what each token should see. */
final class PagedAttentionTest {
  /** Two layers' tokens of a made-up sequence. */
  private static final class Tokens {
    final int heads;
    final int group;
    final int width;
    final int count;
    final float[][] queries = new float[2][]; // [layer][token][query head][width]
    final float[][] keys = new float[2][];
    final float[][] values = new float[2][];

    Tokens(int heads, int group, int width, int count, long seed) {
      this.heads = heads;
      this.group = group;
      this.width = width;
      this.count = count;
      Random random = new Random(seed);
      for (int layer = 0; layer < 2; layer++) {
        queries[layer] = random(count * heads * group * width, 2, random);
        keys[layer] = random(count * heads * width, 1, random);
        values[layer] = random(count * heads * width, 1, random);
      }
    }

    private static float[] random(int count, float scale, Random random) {
      float[] numbers = new float[count];
      for (int i = 0; i < count; i++) {
        numbers[i] = scale * (float) random.nextGaussian();
      }
      return numbers;
    }

    Scoring scoring(int window) {
      return new Scoring((float) (1 / Math.sqrt(width)), window, 0);
    }

    KvCacheShape shape(KvCacheFormat format) {
      return new KvCacheShape(2, heads, width, format);
    }

    /** [layer][token][query head][width], computed {@code chunk} tokens at a time. */
    float[] attend(KvCacheFormat format, int window, int threads, KernelProvider mode, int chunk) {
      try (WorkerPool pool = new WorkerPool(threads); KvCache cache = new KvCache(new PagePool(shape(format)), count)) {
        return attend(new PagedAttention(shape(format), group, pool, mode), scoring(window), cache, count, chunk);
      }
    }

    float[] attend(PagedAttention attention, Scoring scoring, KvCache cache, int tokens, int chunk) {
      int queryStride = heads * group * width;
      int stride = heads * width;
      float[] all = new float[2 * count * queryStride];
      float[] query = new float[chunk * queryStride];
      float[] key = new float[chunk * stride];
      float[] value = new float[chunk * stride];
      float[] out = new float[chunk * queryStride];
      for (int at = 0; at < tokens; at += chunk) {
        int now = Math.min(chunk, tokens - at);
        cache.reserve(at + now);
        for (int layer = 0; layer < 2; layer++) {
          System.arraycopy(queries[layer], at * queryStride, query, 0, now * queryStride);
          System.arraycopy(keys[layer], at * stride, key, 0, now * stride);
          System.arraycopy(values[layer], at * stride, value, 0, now * stride);
          attention.attend(cache, layer, scoring, at, now, query, 0, queryStride, key, 0, stride, value, 0, stride, out, 0, queryStride);
          System.arraycopy(out, 0, all, (layer * count + at) * queryStride, now * queryStride);
        }
      }
      return all;
    }

    /** What a token sees by the rule of {@link KvCacheFormat}, softmax in doubles. */
    void check(float[] attended, KvCacheFormat format, int window, int everyToken) {
      PageLayout keyLayout = PageLayout.keys(format.keys(), width);
      PageLayout valueLayout = PageLayout.values(format.values(), width);
      int padded = PageLayout.paddedWidth(width);
      for (int layer = 0; layer < 2; layer++) {
        for (int head = 0; head < heads; head++) {
          // Exact and packed keys and values: [token][width].
          float[] exactKeys = new float[count * width];
          float[] exactValues = new float[count * width];
          for (int t = 0; t < count; t++) {
            System.arraycopy(keys[layer], (t * heads + head) * width, exactKeys, t * width, width);
            System.arraycopy(values[layer], (t * heads + head) * width, exactValues, t * width, width);
            if (format.rotate()) {
              Hadamard.rotate(exactKeys, t * width, width);
            }
          }
          float[] packedKeys = exactKeys.clone();
          float[] packedValues = exactValues.clone();
          for (int page = 0; page < count / 64; page++) {
            float[] byChannel = new float[padded * 64];
            float[] byToken = new float[64 * padded];
            for (int t = 0; t < 64; t++) {
              for (int c = 0; c < width; c++) {
                byChannel[c * 64 + t] = exactKeys[(page * 64 + t) * width + c];
                byToken[t * padded + c] = exactValues[(page * 64 + t) * width + c];
              }
            }
            repack(keyLayout, byChannel);
            repack(valueLayout, byToken);
            for (int t = 0; t < 64; t++) {
              for (int c = 0; c < width; c++) {
                packedKeys[(page * 64 + t) * width + c] = byChannel[c * 64 + t];
                packedValues[(page * 64 + t) * width + c] = byToken[t * padded + c];
              }
            }
          }
          for (int t = 0; t < count; t += everyToken) {
            for (int g = 0; g < group; g++) {
              int at = ((layer * count + t) * heads * group + head * group + g) * width;
              float[] query = new float[width];
              System.arraycopy(queries[layer], (t * heads * group + head * group + g) * width, query, 0, width);
              if (format.rotate()) {
                Hadamard.rotate(query, 0, width);
              }
              double[] out = new double[width];
              double sum = 0;
              for (int seen = window == 0 ? 0 : Math.max(0, t + 1 - window); seen <= t; seen++) {
                boolean packed = seen / 64 < t / 64 - (format.residual() + 63) / 64;
                double score = 0;
                for (int c = 0; c < width; c++) {
                  score += (double) query[c] * (packed ? packedKeys : exactKeys)[seen * width + c];
                }
                double weight = Math.exp(score / Math.sqrt(width));
                sum += weight;
                for (int c = 0; c < width; c++) {
                  out[c] += weight * (packed ? packedValues : exactValues)[seen * width + c];
                }
              }
              for (int c = 0; c < width; c++) {
                assertThat((double) attended[at + c]).as("%s, layer %d, token %d, query head %d, channel %d", format, layer, t, head * group + g, c)
                    .isCloseTo(out[c] / sum, offset(2e-5));
              }
            }
          }
        }
      }
    }

    private static void repack(PageLayout layout, float[] numbers) {
      int[] page = new int[layout.ints()];
      layout.pack(numbers, 0, page, 0);
      new PageKernels(Kernels.SCALAR, layout).unpack(layout, page, 0, numbers);
    }
  }

  private static KvCacheFormat format(PageFormat keys, PageFormat values, int residual, boolean rotate) {
    return new KvCacheFormat(keys, values, residual, rotate);
  }

  @Test
  void isSoftmaxOverWhatEachTokenShouldSee() {
    Tokens tokens = new Tokens(2, 3, 16, 330, 1);
    for (KvCacheFormat format : List.of(KvCacheFormat.F32, KvCacheFormat.INT8, format(PageFormat.INT4, PageFormat.INT2, 0, true),
        format(PageFormat.INT2, PageFormat.INT4, 65, false), format(PageFormat.F16, PageFormat.INT8, 1, false), format(PageFormat.INT4, PageFormat.F16, 1000, true))) {
      tokens.check(tokens.attend(format, 0, 2, Kernels.SCALAR, 100), format, 0, 1);
    }
  }

  @Test
  void agreesForEveryShapeOfHeads() {
    KvCacheFormat format = format(PageFormat.INT4, PageFormat.INT4, 0, false);
    for (int[] shape : new int[][] {{1, 1, 2}, {3, 1, 20}, {1, 7, 64}, {2, 4, 40}, {1, 70, 8}, {4, 2, 128}}) {
      Tokens tokens = new Tokens(shape[0], shape[1], shape[2], 140, 2);
      tokens.check(tokens.attend(format, 0, 2, TestModes.best(), 77), format, 0, 1);
    }
  }

  @Test
  void agreesOverSeveralSpans() {
    Tokens tokens = new Tokens(1, 4, 32, 1300, 3);
    for (KvCacheFormat format : List.of(KvCacheFormat.F32, format(PageFormat.INT8, PageFormat.INT4, 64, true))) {
      tokens.check(tokens.attend(format, 0, 2, TestModes.best(), 256), format, 0, 13);
    }
  }

  @Test
  void windowsHideWhatIsOlder() {
    Tokens tokens = new Tokens(1, 2, 16, 700, 4);
    for (int window : new int[] {1, 40, 64, 100, 600, 5000}) {
      for (KvCacheFormat format : List.of(KvCacheFormat.F32, format(PageFormat.INT4, PageFormat.INT4, 0, false))) {
        float[] whole = tokens.attend(format, window, 2, TestModes.best(), 256);
        tokens.check(whole, format, window, 3);
        assertThat(Arrays.mismatch(tokens.attend(format, window, 2, Kernels.SCALAR, 1), whole)).as("window %d, %s", window, format).isEqualTo(-1);
      }
    }
  }

  @Test
  void bitsDependNeitherOnChunksNorThreadsNorVectors() {
    Tokens tokens = new Tokens(2, 3, 24, 1100, 5);
    for (KvCacheFormat format : List.of(KvCacheFormat.F32, KvCacheFormat.INT8, format(PageFormat.INT2, PageFormat.INT4, 0, false),
        format(PageFormat.F16, PageFormat.INT2, 130, false))) {
      float[] expected = tokens.attend(format, 0, 1, Kernels.SCALAR, 1100);
      for (KernelProvider mode : TestModes.all()) {
        for (int chunk : new int[] {1, 3, 50, 64, 256, 1100}) {
          int threads = 1 + chunk % 3;
          assertThat(Arrays.mismatch(tokens.attend(format, 0, threads, mode, chunk), expected))
              .as("first difference with %s, %s, %d threads, %d tokens at a time", format, mode, threads, chunk).isEqualTo(-1);
        }
      }
    }
  }

  @Test
  void closedSequencesLeaveTheirPagesToTheNext() {
    Tokens tokens = new Tokens(2, 1, 16, 400, 6);
    KvCacheFormat format = KvCacheFormat.INT8;
    PagePool pages = new PagePool(tokens.shape(format));
    try (WorkerPool pool = new WorkerPool(1)) {
      PagedAttention attention = new PagedAttention(tokens.shape(format), 1, pool, Kernels.SCALAR);
      KvCache first = new KvCache(pages, 400);
      assertThat(pages.usedBytes()).isZero();
      float[] expected = tokens.attend(attention, tokens.scoring(0), first, 400, 64);
      // 7 pages: the open one and the residual's exact, 5 packed.
      assertThat(pages.usedBytes()).isEqualTo(2 * tokens.shape(format).exactPageBytes() + 5 * tokens.shape(format).packedPageBytes());
      long allocated = pages.allocatedBytes();
      assertThat(allocated).isEqualTo(pages.usedBytes());
      first.close();
      first.close();
      assertThat(pages.usedBytes()).isZero();
      KvCache second = new KvCache(pages, 400);
      assertThat(Arrays.equals(tokens.attend(attention, tokens.scoring(0), second, 400, 64), expected)).isTrue();
      assertThat(pages.allocatedBytes()).isEqualTo(allocated);
      // Two at once do not get into each other's way.
      KvCache third = new KvCache(pages, 400);
      float[] half = tokens.attend(attention, tokens.scoring(0), third, 200, 64);
      assertThat(Arrays.equals(half, 0, 200 * 32, expected, 0, 200 * 32)).isTrue();
      assertThat(pages.allocatedBytes()).isGreaterThan(allocated);
      second.close();
      third.close();
      assertThat(pages.usedBytes()).isZero();
    }
  }

  @Test
  void aFullPoolRefusesAndLosesNothing() {
    Tokens tokens = new Tokens(1, 1, 8, 400, 7);
    KvCacheShape shape = tokens.shape(KvCacheFormat.INT8);
    PagePool pages = new PagePool(shape, 2 * shape.exactPageBytes() + shape.packedPageBytes());
    KvCache cache = new KvCache(pages, 400);
    cache.reserve(192);
    assertThatThrownBy(() -> cache.reserve(193)).isInstanceOf(IllegalStateException.class).hasMessageStartingWith("the KV cache is full: ");
    cache.reserve(192);
    cache.close();
    assertThat(pages.usedBytes()).isZero();
    try (KvCache next = new KvCache(pages, 400)) {
      next.reserve(192);
    }
  }

  @Test
  void tokensWithinAMemoryAreWhatAPoolOfItHolds() {
    for (KvCacheFormat format : List.of(KvCacheFormat.INT8, KvCacheFormat.F32, new KvCacheFormat(PageFormat.INT4, PageFormat.INT2, 130, false))) {
      KvCacheShape shape = new Tokens(1, 1, 8, 1, 7).shape(format);
      assertThat(shape.tokensWithin(shape.exactPageBytes() - 1)).isZero();
      assertThat(shape.tokensWithin(Long.MAX_VALUE)).isEqualTo(Integer.MAX_VALUE);
      for (int pages = 1; pages < 7; pages++) {
        for (long more : new long[] {0, shape.packedPageBytes() - 1}) {
          long limit = Math.min(pages, format.exactPages() + 1) * shape.exactPageBytes() + Math.max(0, pages - format.exactPages() - 1) * shape.packedPageBytes() + more;
          int tokens = shape.tokensWithin(limit);
          try (KvCache cache = new KvCache(new PagePool(shape, limit), tokens); KvCache longer = new KvCache(new PagePool(shape, limit), tokens + 1)) {
            cache.reserve(tokens);
            assertThatThrownBy(() -> longer.reserve(tokens + 1)).isInstanceOf(IllegalStateException.class);
          }
        }
      }
    }
  }

  @Test
  void decodingAllocatesNothingEvenWhenAPageFills() {
    Tokens tokens = new Tokens(2, 2, 16, 1300, 8);
    KvCacheFormat format = format(PageFormat.INT8, PageFormat.INT4, 64, true);
    PagePool pages = new PagePool(tokens.shape(format));
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (WorkerPool pool = new WorkerPool(1)) {
      // Plain loops: interpreted vector code allocates, compiled does not, and nobody knows when it is compiled.
      PagedAttention attention = new PagedAttention(tokens.shape(format), 2, pool, Kernels.SCALAR);
      float[] query = new float[2 * 2 * 16];
      float[] key = new float[2 * 16];
      float[] value = new float[2 * 16];
      float[] out = new float[query.length];
      Scoring scoring = tokens.scoring(0);
      List<Long> allocated = new ArrayList<>();
      for (int round = 0; round < 3; round++) {
        KvCache cache = new KvCache(pages, 1300);
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int position = 0; position < 1300; position++) {
          cache.reserve(position + 1);
          for (int layer = 0; layer < 2; layer++) {
            System.arraycopy(tokens.queries[layer], position * query.length, query, 0, query.length);
            System.arraycopy(tokens.keys[layer], position * key.length, key, 0, key.length);
            System.arraycopy(tokens.values[layer], position * value.length, value, 0, value.length);
            attention.attend(cache, layer, scoring, position, 1, query, 0, query.length, key, 0, key.length, value, 0, value.length, out, 0, out.length);
          }
        }
        allocated.add(threads.getCurrentThreadAllocatedBytes() - before);
        cache.close();
      }
      assertThat(allocated.get(0)).isPositive();
      assertThat(allocated.get(2)).isZero();
    }
  }

  @Test
  void rotationNeedsAPowerOfTwo() {
    assertThatThrownBy(() -> new KvCacheShape(1, 1, 80, format(PageFormat.INT4, PageFormat.INT4, 64, true)))
        .hasMessageContaining("80 channels; allowed with --kv-rotate (nibble.kv.rotate): a power of two");
  }

  @Test
  void formatsFollowTheModelsSizeWhereNothingIsSaid() {
    assertThat(KvCacheOptions.DEFAULT.resolve(1_999_999_999L)).isEqualTo(KvCacheFormat.INT8);
    assertThat(KvCacheOptions.DEFAULT.resolve(2_000_000_000L)).isEqualTo(format(PageFormat.INT8, PageFormat.INT4, 64, false));
    assertThat(KvCacheOptions.of(Optional.of("4"), Optional.of("f16"), 0, true).resolve(1)).isEqualTo(format(PageFormat.INT4, PageFormat.F16, 0, true));
    assertThat(KvCacheOptions.EXACT.resolve(1)).isEqualTo(KvCacheFormat.F32);
    for (PageFormat format : PageFormat.values()) {
      assertThat(KvCacheOptions.FORMATS.split(", ")).contains(format.label());
    }
    assertThatThrownBy(() -> KvCacheOptions.of(Optional.of("3"), Optional.empty(), 0, false)).hasMessage("the KV cache's format is \"3\"; allowed: 8, 4, 2, f16, f32");
  }
}
