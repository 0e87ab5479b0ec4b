package dev.nibble.model.kvcache;

import dev.nibble.kernel.Elementwise;
import dev.nibble.kernel.Hadamard;
import dev.nibble.kernel.KernelProvider;
import dev.nibble.kernel.PageKernels;
import dev.nibble.kernel.PageLayout;
import dev.nibble.kernel.WorkerPool;
import java.util.Arrays;

/**
 * Causal attention over the pages of a {@link KvCache}, page by page in order with an online softmax (FlashAttention, Dao et al. 2022): a page is unpacked
 * once for all query heads of its group and for several tokens, and never as a whole sequence.
 *
 * <p>Pages are taken in spans of {@value #SPAN_PAGES}; each span starts anew, and spans are merged in order. So spans can be computed by different threads, and
 * what is computed depends neither on threads nor on how many tokens come together. Scratch memory is allocated once, but for what grows with the context.
 * Used by one thread at a time, which shares the work out to a pool.
 */
public final class PagedAttention {
  /** Pages of a span: 512 tokens. Long enough for merging to cost nothing, short enough for 4096 tokens to occupy 8 cores that share one head. */
  static final int SPAN_PAGES = 8;
  private static final int TOKENS = PageLayout.TOKENS;
  /** Rows (tokens × query heads of a group) computed together: unpacking costs about as much as 3 rows, and rows with a page fill 100 KB of cache. */
  private static final int ROWS = 64;
  /** Most tokens together for which spans are shared out; more tokens occupy the workers by themselves, and would need much memory for spans. */
  private static final int FEW_TOKENS = 4;

  /** A worker's own memory. */
  private static final class Scratch {
    final PageKernels kernels;
    final float[] keys; // [padded width][64]
    final float[] values; // [64][padded width]
    final float[] queries; // [row][padded width], scaled
    final float[] scores; // [row][64]
    final float[] factors; // [row]
    final float[] spanLargest; // [row]
    final float[] spanSums; // [row]
    final float[] spanChannels; // [row][padded width]
    final float[] largest; // [row], of the spans so far
    final float[] sums; // [row]
    final float[] channels; // [row][padded width]

    Scratch(KernelProvider provider, KvCacheShape shape, int rows) {
      int width = shape.paddedWidth();
      kernels = new PageKernels(provider, shape.keys(), shape.values());
      keys = new float[width * TOKENS];
      values = new float[TOKENS * width];
      queries = new float[rows * width];
      scores = new float[rows * TOKENS];
      factors = new float[rows];
      spanLargest = new float[rows];
      spanSums = new float[rows];
      spanChannels = new float[rows * width];
      largest = new float[rows];
      sums = new float[rows];
      channels = new float[rows * width];
    }
  }

  private final KvCacheShape shape;
  private final int group;
  private final WorkerPool pool;
  private final PageLayout keyLayout;
  private final PageLayout valueLayout;
  private final int width;
  private final int padded;
  private final int blockTokens;
  private final Scratch[] scratch; // [worker]
  private final Elementwise elementwise;

  // Spans of few tokens: [token × heads + head][span].
  private float[] spanLargest = {};
  private float[] spanSums = {};
  private float[] spanChannels = {};

  // The piece of work under way; workers read what the calling thread wrote before it started them.
  private final WorkerPool.Range keep = this::keep;
  private final WorkerPool.Range attendBlocks = this::attendBlocks;
  private final WorkerPool.Range attendSpans = this::attendSpans;
  private final WorkerPool.Range mergeSpans = this::mergeSpans;
  private KvCache cache;
  private int layer;
  private Scoring scoring;
  private int position; // of the first token
  private int tokens; // all in one page
  private int spans; // up to the open page's
  private float[] query;
  private int queryAt;
  private int queryStride;
  private float[] key;
  private int keyAt;
  private int keyStride;
  private float[] value;
  private int valueAt;
  private int valueStride;
  private float[] out;
  private int outAt;
  private int outStride;

  /**
   * Attention of a model.
   *
   * @param group query heads that share a key-value head
   */
  public PagedAttention(KvCacheShape shape, int group, WorkerPool pool, KernelProvider kernels) {
    this.shape = shape;
    this.group = group;
    this.pool = pool;
    keyLayout = shape.keys();
    valueLayout = shape.values();
    width = shape.width();
    padded = shape.paddedWidth();
    blockTokens = Math.max(1, ROWS / group);
    scratch = new Scratch[pool.size()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch(kernels, shape, blockTokens * group);
    }
    elementwise = new Elementwise(kernels);
  }

  /**
   * Adds tokens' keys and values to the cache, which has reserved their pages, and computes their attention. Vectors are [token][head][width], the first
   * {@code from} on, tokens {@code stride} apart.
   *
   * @param position of the first token
   * @param key rotated in place where the cache's format says so
   * @param out receives [token][query head][width]
   */
  public void attend(
      KvCache cache, int layer, Scoring scoring, int position, int tokens, float[] query, int queryFrom, int queryStride, float[] key, int keyFrom, int keyStride,
      float[] value, int valueFrom, int valueStride, float[] out, int outFrom, int outStride) {
    this.cache = cache;
    this.layer = layer;
    this.scoring = scoring;
    this.query = query;
    this.queryStride = queryStride;
    this.key = key;
    this.keyStride = keyStride;
    this.value = value;
    this.valueStride = valueStride;
    this.out = out;
    this.outStride = outStride;
    int done = 0;
    while (done < tokens) {
      int now = Math.min(tokens - done, TOKENS - (position + done) % TOKENS);
      this.position = position + done;
      this.tokens = now;
      queryAt = queryFrom + done * queryStride;
      keyAt = keyFrom + done * keyStride;
      valueAt = valueFrom + done * valueStride;
      outAt = outFrom + done * outStride;
      attendPage();
      done += now;
    }
    this.cache = null;
  }

  private void attendPage() {
    // A few tokens are copied faster than threads are told to; packing a page and copying many are worth it.
    pool.run(shape.heads(), tokens > FEW_TOKENS || position % TOKENS == 0 ? 1 : shape.heads(), keep);
    spans = position / TOKENS / SPAN_PAGES + 1;
    if (tokens <= FEW_TOKENS && spans > 1) {
      growSpans(tokens * shape.heads() * group * spans);
      pool.run(shape.heads() * spans, 1, attendSpans);
      pool.run(tokens * shape.heads() * group, group, mergeSpans);
    } else {
      pool.run(shape.heads() * blocks(), 1, attendBlocks);
    }
  }

  private int blocks() {
    return (tokens + blockTokens - 1) / blockTokens;
  }

  /** Doubles, so that decoding seldom allocates. */
  private void growSpans(int entries) {
    if (spanSums.length < entries) {
      int room = Math.max(entries, 2 * spanSums.length);
      spanLargest = new float[room];
      spanSums = new float[room];
      spanChannels = new float[room * padded];
    }
  }

  private void keep(int worker, int from, int to) {
    for (int head = from; head < to; head++) {
      if (position % TOKENS == 0) {
        cache.begin(position / TOKENS, layer, head);
      }
      for (int t = 0; t < tokens; t++) {
        cache.put(layer, head, position + t, key, keyAt + t * keyStride + head * width, value, valueAt + t * valueStride + head * width);
      }
    }
  }

  /** Items are [block of tokens][key-value head]; each goes through all spans. */
  private void attendBlocks(int worker, int from, int to) {
    Scratch my = scratch[worker];
    for (int item = from; item < to; item++) {
      int head = item % shape.heads();
      int first = item / shape.heads() * blockTokens;
      int count = Math.min(blockTokens, tokens - first);
      int rows = count * group;
      loadQueries(my, head, first, count);
      Arrays.fill(my.largest, 0, rows, Float.NEGATIVE_INFINITY);
      Arrays.fill(my.sums, 0, rows, 0);
      Arrays.fill(my.channels, 0, rows * padded, 0);
      for (int span = 0; span < spans; span++) {
        attendSpan(my, head, first, count, span);
        for (int row = 0; row < rows; row++) {
          PageKernels.merge(my.largest, my.sums, my.channels, row, my.spanLargest, my.spanSums, my.spanChannels, row, padded);
        }
      }
      for (int row = 0; row < rows; row++) {
        write(my.channels, row * padded, my.sums[row], first + row / group, head * group + row % group);
      }
    }
  }

  /** Items are [span][key-value head]; the tokens are few. */
  private void attendSpans(int worker, int from, int to) {
    Scratch my = scratch[worker];
    for (int item = from; item < to; item++) {
      int head = item % shape.heads();
      int span = item / shape.heads();
      for (int first = 0; first < tokens; first += blockTokens) {
        int count = Math.min(blockTokens, tokens - first);
        loadQueries(my, head, first, count);
        attendSpan(my, head, first, count, span);
        for (int row = 0; row < count * group; row++) {
          int entry = (((first + row / group) * shape.heads() + head) * group + row % group) * spans + span;
          spanLargest[entry] = my.spanLargest[row];
          spanSums[entry] = my.spanSums[row];
          System.arraycopy(my.spanChannels, row * padded, spanChannels, entry * padded, padded);
        }
      }
    }
  }

  /** Items are [token][query head]. */
  private void mergeSpans(int worker, int from, int to) {
    Scratch my = scratch[worker];
    for (int item = from; item < to; item++) {
      my.largest[0] = Float.NEGATIVE_INFINITY;
      my.sums[0] = 0;
      Arrays.fill(my.channels, 0, padded, 0);
      for (int span = 0; span < spans; span++) {
        PageKernels.merge(my.largest, my.sums, my.channels, 0, spanLargest, spanSums, spanChannels, item * spans + span, padded);
      }
      int heads = shape.heads() * group;
      write(my.channels, 0, my.sums[0], item / heads, item % heads);
    }
  }

  private void write(float[] channels, int at, float sum, int token, int queryHead) {
    int to = outAt + token * outStride + queryHead * width;
    for (int c = 0; c < width; c++) {
      out[to + c] = channels[at + c] / sum;
    }
  }

  private void loadQueries(Scratch my, int head, int first, int count) {
    for (int row = 0; row < count * group; row++) {
      int from = queryAt + (first + row / group) * queryStride + (head * group + row % group) * width;
      int to = row * padded;
      System.arraycopy(query, from, my.queries, to, width);
      if (shape.format().rotate()) {
        Hadamard.rotate(my.queries, to, width);
      }
      for (int c = 0; c < width; c++) {
        my.queries[to + c] *= scoring.scale();
      }
    }
  }

  /** Attention of some tokens of one key-value head over the pages of a span, from nothing. */
  private void attendSpan(Scratch my, int head, int first, int count, int span) {
    int rows = count * group;
    Arrays.fill(my.spanLargest, 0, rows, Float.NEGATIVE_INFINITY);
    Arrays.fill(my.spanSums, 0, rows, 0);
    Arrays.fill(my.spanChannels, 0, rows * padded, 0);
    int open = position / TOKENS;
    int lastPage = Math.min(open, span * SPAN_PAGES + SPAN_PAGES - 1);
    // Pages that the first of the tokens does not see any more are not seen by later ones.
    for (int page = Math.max(span * SPAN_PAGES, scoring.leastSeen(position + first) / TOKENS); page <= lastPage; page++) {
      float[] keys = my.keys;
      float[] values = my.values;
      int keysAt = 0;
      int valuesAt = 0;
      if (cache.isPacked(page, open)) {
        my.kernels.unpack(keyLayout, cache.packed(page), shape.packedKeysAt(layer, head), keys);
        my.kernels.unpack(valueLayout, cache.packed(page), shape.packedValuesAt(layer, head), values);
      } else {
        keys = cache.exact(page);
        values = keys;
        keysAt = shape.exactKeysAt(layer, head);
        valuesAt = shape.exactValuesAt(layer, head);
      }
      my.kernels.score(my.queries, 0, padded, rows, width, keys, keysAt, my.scores, 0);
      if (scoring.softcap() != 0) {
        elementwise.softcap(my.scores, 0, rows * TOKENS, scoring.softcap());
      }
      if (page < open && scoring.leastSeen(position + first + count - 1) <= page * TOKENS) {
        for (int row = 0; row < rows; row++) {
          my.kernels.weigh(my.scores, row * TOKENS, 0, TOKENS, my.spanLargest, my.spanSums, my.factors, row);
        }
        my.kernels.blend(my.scores, 0, rows, 0, TOKENS, values, valuesAt, padded, my.factors, 0, my.spanChannels, 0);
      } else {
        attendPart(my, first, count, page, values, valuesAt);
      }
    }
  }

  /** A page of which tokens see different parts: the open one, or one on the window's edge. */
  private void attendPart(Scratch my, int first, int count, int page, float[] values, int valuesAt) {
    for (int t = 0; t < count; t++) {
      int own = position + first + t;
      int from = Math.max(0, scoring.leastSeen(own) - page * TOKENS);
      int to = Math.min(TOKENS, own + 1 - page * TOKENS);
      if (from >= to) {
        continue; // the window has left this page
      }
      int row = t * group;
      for (int i = row; i < row + group; i++) {
        my.kernels.weigh(my.scores, i * TOKENS, from, to, my.spanLargest, my.spanSums, my.factors, i);
      }
      my.kernels.blend(my.scores, row * TOKENS, group, from, to, values, valuesAt, padded, my.factors, row, my.spanChannels, row * padded);
    }
  }
}
