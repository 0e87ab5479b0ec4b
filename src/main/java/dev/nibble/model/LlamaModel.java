package dev.nibble.model;

import dev.nibble.kernel.Activations;
import dev.nibble.kernel.Angles;
import dev.nibble.kernel.Elementwise;
import dev.nibble.kernel.Products;
import dev.nibble.kernel.TiledMatrix;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.kvcache.KvCache;
import dev.nibble.model.kvcache.KvCacheFormat;
import dev.nibble.model.kvcache.KvCacheShape;
import dev.nibble.model.kvcache.PagePool;
import dev.nibble.model.kvcache.PagedAttention;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/**
 * The Llama decoder, and Qwen2's, which differs by biases and by which channels rotate together. Scratch memory is allocated once and belongs to the
 * forward pass under way; sequences may come from several threads, but are computed one after the other. Steady-state decoding allocates nothing here:
 * passes over the workers are made once, and read what they work on from fields.
 */
public final class LlamaModel implements LanguageModel {
  /** Most tokens computed together: enough to read weights from cache many times, few enough for scratch to stay small. */
  static final int BATCH = 256;
  private static final BooleanSupplier NEVER = () -> false;
  /** Columns of SiLU that a worker takes at a time when there is one token only: about a microsecond. */
  private static final int ACTIVATED_COLUMNS = 1024;

  private final LlamaConfig config;
  private final LlamaWeights weights;
  private final Products products;
  private final Elementwise elementwise;
  private final WorkerPool pool;
  private final PagePool pages;
  private final PagedAttention pagedAttention;
  private final double[] frequencies; // [headWidth / 2], radians a position
  private final ReentrantLock turn = new ReentrantLock();

  // Scratch; strides are widths rounded up to whole tiles.
  private final int width;
  private final int queryStride;
  private final int keyValueStride;
  private final int hiddenStride;
  private final Activations normed; // [BATCH][width], input of attention, feed-forward and head
  private final Activations attended; // [BATCH][heads × headWidth]
  private final Activations activated; // [BATCH][hidden]
  private final float[] residual; // [BATCH][width]
  private final float[] query; // [BATCH][queryStride]
  private final float[] key; // [BATCH][keyValueStride]
  private final float[] value; // [BATCH][keyValueStride]
  private final float[] gate; // [BATCH][hiddenStride]
  private final float[] up; // [BATCH][hiddenStride]
  private final float[] projected; // [BATCH][width rounded up]
  private final float[] cosines; // [BATCH][headWidth], for each channel
  private final float[] sines; // [BATCH][headWidth], negative for the first channel of a pair
  private final float[] logits; // [vocabulary rounded up]

  // Passes, each over tokens but for those that say otherwise.
  private final WorkerPool.Range normalizePass = this::normalize;
  private final WorkerPool.Range addThenNormalizePass = this::addThenNormalize;
  private final WorkerPool.Range rotatePass = this::rotate;
  private final WorkerPool.Range quantizeAttendedPass = this::quantizeAttended;
  private final WorkerPool.Range activatePass = this::activate;
  private final WorkerPool.Range activateColumnsPass = this::activateColumns; // over the pieces of one token's hidden columns

  // What the pass under way works on.
  private float[] normWeight;
  private boolean quantize;
  private LlamaWeights.Biases biases;

  /** Without a limit of the memory for keys and values. */
  public LlamaModel(LlamaConfig config, LlamaWeights weights, Products products, KvCacheFormat cacheFormat) {
    this(config, weights, products, cacheFormat, Long.MAX_VALUE);
  }

  /** @param cacheBytes most bytes of keys and values of all sequences together */
  public LlamaModel(LlamaConfig config, LlamaWeights weights, Products products, KvCacheFormat cacheFormat, long cacheBytes) {
    this.config = config;
    this.weights = weights;
    this.products = products;
    this.elementwise = new Elementwise(products.mode());
    this.pool = products.pool();
    KvCacheShape shape = new KvCacheShape(config.layers(), config.keyValueHeads(), config.headWidth(), cacheFormat);
    pages = new PagePool(shape, cacheBytes);
    pagedAttention = new PagedAttention(shape, config.heads() / config.keyValueHeads(), config.window(), pool, products.mode());
    width = config.width();
    queryStride = TiledMatrix.padded(config.queryWidth());
    keyValueStride = TiledMatrix.padded(config.keyValueWidth());
    hiddenStride = TiledMatrix.padded(config.hidden());
    int batch = Math.min(BATCH, config.context());
    normed = new Activations(batch, width);
    attended = new Activations(batch, config.queryWidth());
    activated = new Activations(batch, config.hidden());
    residual = new float[batch * width];
    query = new float[batch * queryStride];
    key = new float[batch * keyValueStride];
    value = new float[batch * keyValueStride];
    gate = new float[batch * hiddenStride];
    up = new float[batch * hiddenStride];
    projected = new float[batch * TiledMatrix.padded(width)];
    int half = config.headWidth() / 2;
    cosines = new float[batch * config.headWidth()];
    sines = new float[batch * config.headWidth()];
    logits = new float[TiledMatrix.padded(config.vocabulary())];
    frequencies = new double[half];
    for (int i = 0; i < half; i++) {
      // StrictMath is defined to the last bit, on every machine.
      frequencies[i] = StrictMath.pow(config.ropeBase(), -2.0 * i / config.headWidth());
      if (weights.ropeDivisors().length > 0) {
        frequencies[i] /= weights.ropeDivisors()[i];
      }
    }
  }

  /** Memory of its sequences' caches. */
  public PagePool pages() {
    return pages;
  }

  @Override
  public int vocabularySize() {
    return config.vocabulary();
  }

  @Override
  public int contextLength() {
    return config.context();
  }

  @Override
  public int longestSequence() {
    return Math.min(config.context(), pages.shape().tokensWithin(pages.limitBytes()));
  }

  @Override
  public double cacheUsage() {
    return pages.usedBytes() / (double) pages.limitBytes();
  }

  TiledMatrix embedding() {
    return weights.embedding();
  }

  /** Bytes of weights, keys and values that computing one token alone must read, after {@code tokens} others. */
  public long bytesPerToken(int tokens) {
    return weights.bytesPerToken() + pages.shape().bytesRead(tokens);
  }

  @Override
  public Sequence newSequence(int capacity) {
    if (capacity < 1 || capacity > longestSequence()) {
      throw new IllegalArgumentException("capacity is " + capacity + "; allowed: 1 to " + longestSequence());
    }
    return new CachedSequence(capacity);
  }

  private final class CachedSequence implements Sequence {
    private final int capacity;
    private KvCache cache;
    private int length;

    CachedSequence(int capacity) {
      this.capacity = capacity;
      cache = new KvCache(pages, capacity);
    }

    @Override
    public int length() {
      return length;
    }

    @Override
    public int capacity() {
      return capacity;
    }

    @Override
    public void append(int[] ids, int from, int count, float[] out) {
      append(ids, from, count, out, NEVER);
    }

    @Override
    public boolean append(int[] ids, int from, int count, float[] out, BooleanSupplier stopped) {
      Objects.checkFromIndexSize(from, count, ids.length);
      if (cache == null) {
        throw new IllegalStateException("the sequence is closed");
      }
      if (count < 1 || count > capacity - length) {
        throw new IllegalArgumentException(count + " tokens do not fit: the sequence holds " + length + " of " + capacity);
      }
      for (int i = from; i < from + count; i++) {
        if (ids[i] < 0 || ids[i] >= config.vocabulary()) {
          throw new IllegalArgumentException("token id " + ids[i] + " is outside the vocabulary of " + config.vocabulary());
        }
      }
      cache.reserve(length + count);
      turn.lock();
      try {
        int batch = residual.length / width;
        for (int done = 0; done < count; done += batch) {
          int now = Math.min(batch, count - done);
          if (!forward(cache, length, ids, from + done, now, done + now == count ? out : null, stopped)) {
            return false;
          }
          length += now;
        }
        return true;
      } finally {
        turn.unlock();
      }
    }

    @Override
    public void close() {
      if (cache != null) {
        cache.close();
        cache = null;
      }
    }
  }

  /** False if it was stopped on the way. */
  private boolean forward(KvCache cache, int position, int[] ids, int from, int tokens, float[] out, BooleanSupplier stopped) {
    for (int t = 0; t < tokens; t++) {
      weights.embedding().row(ids[from + t], residual, t * width);
      rotations(position + t, t);
    }
    normalize(tokens, weights.layers().getFirst());
    for (int layer = 0; layer < config.layers(); layer++) {
      if (stopped.getAsBoolean()) {
        return false;
      }
      LlamaWeights.Layer block = weights.layers().get(layer);
      products.multiply(normed, tokens, block.query(), query, queryStride, block.key(), key, keyValueStride, block.value(), value, keyValueStride);
      biases = block.biases();
      pool.run(tokens, 1, rotatePass);
      attention(cache, layer, position, tokens, block.attentionOutput().integer());
      if (layer == config.layers() - 1) {
        if (out == null) {
          return true; // all keys and values are in the cache
        }
        keepLast(tokens);
        tokens = 1;
      }
      products.multiply(attended, tokens, block.attentionOutput(), projected, TiledMatrix.padded(width));

      if (stopped.getAsBoolean()) {
        return false;
      }
      addThenNormalize(tokens, block.feedForwardNorm(), block.gate().integer() || block.up().integer());
      products.multiply(normed, tokens, block.gate(), gate, hiddenStride, block.up(), up, hiddenStride);
      activate(tokens, block.down().integer());
      products.multiply(activated, tokens, block.down(), projected, TiledMatrix.padded(width));
      if (layer < config.layers() - 1) {
        LlamaWeights.Layer next = weights.layers().get(layer + 1);
        addThenNormalize(tokens, next.attentionNorm(), readsIntegers(next));
      }
    }
    addThenNormalize(1, weights.outputNorm(), weights.output().integer());
    products.multiply(normed, 1, weights.output(), logits, logits.length);
    System.arraycopy(logits, 0, out, 0, config.vocabulary());
    return true;
  }

  private static boolean readsIntegers(LlamaWeights.Layer block) {
    return block.query().integer() || block.key().integer() || block.value().integer();
  }

  /** After the last attention only the last token counts: its row becomes the first. */
  private void keepLast(int tokens) {
    if (tokens > 1) {
      System.arraycopy(residual, (tokens - 1) * width, residual, 0, width);
      System.arraycopy(attended.values(), (tokens - 1) * attended.stride(), attended.values(), 0, attended.stride());
      attended.quantize(0, products.mode());
    }
  }

  private void normalize(int tokens, LlamaWeights.Layer block) {
    normWeight = block.attentionNorm();
    quantize = readsIntegers(block);
    pool.run(tokens, 1, normalizePass);
  }

  private void normalize(int worker, int from, int to) {
    for (int t = from; t < to; t++) {
      elementwise.rmsNorm(residual, t * width, normWeight, config.normEpsilon(), normed.values(), t * normed.stride());
      if (quantize) {
        normed.quantize(t, products.mode());
      }
    }
  }

  private void addThenNormalize(int tokens, float[] weight, boolean integers) {
    normWeight = weight;
    quantize = integers;
    pool.run(tokens, 1, addThenNormalizePass);
  }

  private void addThenNormalize(int worker, int from, int to) {
    int stride = TiledMatrix.padded(width);
    for (int t = from; t < to; t++) {
      elementwise.addThenNorm(
          residual, t * width, projected, t * stride, normWeight, config.normEpsilon(), normed.values(), t * normed.stride());
      if (quantize) {
        normed.quantize(t, products.mode());
      }
    }
  }

  /** Biases, then rotation. */
  private void rotate(int worker, int from, int to) {
    for (int t = from; t < to; t++) {
      elementwise.add(query, t * queryStride, biases.query(), 0, biases.query().length);
      elementwise.add(key, t * keyValueStride, biases.key(), 0, biases.key().length);
      elementwise.add(value, t * keyValueStride, biases.value(), 0, biases.value().length);
      rotate(query, t * queryStride, config.heads(), t);
      rotate(key, t * keyValueStride, config.keyValueHeads(), t);
    }
  }

  private void rotate(float[] vectors, int at, int heads, int token) {
    int headWidth = config.headWidth();
    switch (config.ropePairs()) {
      case ADJACENT -> elementwise.rotateAdjacent(vectors, at, heads, headWidth, cosines, sines, token * headWidth);
      case HALVES -> elementwise.rotateHalves(vectors, at, heads, headWidth, cosines, sines, token * headWidth);
    }
  }

  /** Fills a token's row of the tables; all layers use it. */
  private void rotations(int position, int token) {
    int base = token * config.headWidth();
    int half = frequencies.length;
    for (int i = 0; i < half; i++) {
      float cosine = (float) Angles.cosine(position * frequencies[i]);
      float sine = (float) Angles.sine(position * frequencies[i]);
      int first = switch (config.ropePairs()) {
        case ADJACENT -> base + 2 * i;
        case HALVES -> base + i;
      };
      int second = switch (config.ropePairs()) {
        case ADJACENT -> first + 1;
        case HALVES -> first + half;
      };
      cosines[first] = cosine;
      cosines[second] = cosine;
      sines[first] = -sine;
      sines[second] = sine;
    }
  }

  private void attention(KvCache cache, int layer, int position, int tokens, boolean quantize) {
    pagedAttention.attend(
        cache, layer, position, tokens, query, queryStride, key, keyValueStride, value, keyValueStride, attended.values(), attended.stride());
    if (quantize) {
      pool.run(tokens, 1, quantizeAttendedPass);
    }
  }

  private void quantizeAttended(int worker, int from, int to) {
    for (int t = from; t < to; t++) {
      attended.quantize(t, products.mode());
    }
  }

  private void activate(int tokens, boolean integers) {
    if (tokens > 1) {
      quantize = integers;
      pool.run(tokens, 1, activatePass);
      return;
    }
    pool.run(Math.ceilDiv(config.hidden(), ACTIVATED_COLUMNS), 1, activateColumnsPass);
    if (integers) {
      activated.quantize(0, products.mode());
    }
  }

  private void activate(int worker, int from, int to) {
    for (int t = from; t < to; t++) {
      elementwise.gatedSilu(gate, t * hiddenStride, up, t * hiddenStride, config.hidden(), activated.values(), t * activated.stride());
      if (quantize) {
        activated.quantize(t, products.mode());
      }
    }
  }

  private void activateColumns(int worker, int from, int to) {
    int first = from * ACTIVATED_COLUMNS;
    int count = Math.min(config.hidden(), to * ACTIVATED_COLUMNS) - first;
    elementwise.gatedSilu(gate, first, up, first, count, activated.values(), first);
  }
}
