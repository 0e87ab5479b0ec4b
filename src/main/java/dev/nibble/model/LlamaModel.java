package dev.nibble.model;

import dev.nibble.kernel.Activations;
import dev.nibble.kernel.FloatMath;
import dev.nibble.kernel.Products;
import dev.nibble.kernel.TiledMatrix;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.kvcache.KvCache;
import dev.nibble.model.kvcache.KvCacheFormat;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The Llama decoder. Scratch memory is allocated once and belongs to the forward pass under way; sequences may come from
 * several threads, but are computed one after the other.
 */
public final class LlamaModel implements LanguageModel {
  /** Most tokens computed together: enough to read weights from cache many times, few enough for scratch to stay small. */
  private static final int BATCH = 256;

  private final LlamaConfig config;
  private final LlamaWeights weights;
  private final Products products;
  private final WorkerPool pool;
  private final KvCacheFormat cacheFormat;
  private final double[] frequencies; // [headWidth / 2], radians a position
  private final ReentrantLock turn = new ReentrantLock();

  // Scratch; strides are widths rounded up to whole tiles.
  private final int width;
  private final int queryStride;
  private final int keyValueStride;
  private final int hiddenStride;
  private final Activations normed; // [BATCH][width], input of attention and feed-forward
  private final Activations attended; // [BATCH][heads × headWidth]
  private final Activations activated; // [BATCH][hidden]
  private final Activations last; // [1][width], input of the head
  private final float[] residual; // [BATCH][width]
  private final float[] query; // [BATCH][queryStride]
  private final float[] key; // [BATCH][keyValueStride]
  private final float[] value; // [BATCH][keyValueStride]
  private final float[] gate; // [BATCH][hiddenStride]
  private final float[] up; // [BATCH][hiddenStride]
  private final float[] projected; // [BATCH][width rounded up]
  private final float[] cosines; // [BATCH][headWidth / 2]
  private final float[] sines;
  private final float[][] scores; // [worker][context]
  private final float[] logits; // [vocabulary rounded up]

  public LlamaModel(LlamaConfig config, LlamaWeights weights, Products products, KvCacheFormat cacheFormat) {
    this.config = config;
    this.weights = weights;
    this.products = products;
    this.pool = products.pool();
    this.cacheFormat = cacheFormat;
    width = config.width();
    queryStride = TiledMatrix.padded(config.queryWidth());
    keyValueStride = TiledMatrix.padded(config.keyValueWidth());
    hiddenStride = TiledMatrix.padded(config.hidden());
    int batch = Math.min(BATCH, config.context());
    normed = new Activations(batch, width);
    attended = new Activations(batch, config.queryWidth());
    activated = new Activations(batch, config.hidden());
    last = new Activations(1, width);
    residual = new float[batch * width];
    query = new float[batch * queryStride];
    key = new float[batch * keyValueStride];
    value = new float[batch * keyValueStride];
    gate = new float[batch * hiddenStride];
    up = new float[batch * hiddenStride];
    projected = new float[batch * TiledMatrix.padded(width)];
    int half = config.headWidth() / 2;
    cosines = new float[batch * half];
    sines = new float[batch * half];
    scores = new float[pool.size()][config.context()];
    logits = new float[TiledMatrix.padded(config.vocabulary())];
    frequencies = new double[half];
    for (int i = 0; i < half; i++) {
      // StrictMath is defined to the last bit, on every machine.
      frequencies[i] = StrictMath.pow(config.ropeBase(), -2.0 * i / config.headWidth());
    }
  }

  @Override
  public int vocabularySize() {
    return config.vocabulary();
  }

  @Override
  public int contextLength() {
    return config.context();
  }

  /** Bytes of weights, keys and values that computing one token alone must read, after {@code tokens} others. */
  public long bytesPerToken(int tokens) {
    return weights.bytesPerToken() + config.layers() * keyValueBytes(tokens);
  }

  /** Bytes of one layer's keys and values of {@code tokens} tokens: full pages in the cache's format, the open one in floats. */
  private long keyValueBytes(int tokens) {
    long values = 2L * config.keyValueWidth();
    int open = tokens % KvCache.PAGE_TOKENS;
    return switch (cacheFormat) {
      case F32 -> Float.BYTES * values * tokens;
      case INT8 -> Float.BYTES * values * open + values * (tokens - open);
    };
  }

  @Override
  public Sequence newSequence(int capacity) {
    if (capacity < 1 || capacity > config.context()) {
      throw new IllegalArgumentException("capacity is " + capacity + "; allowed: 1 to " + config.context());
    }
    return new CachedSequence(capacity);
  }

  private final class CachedSequence implements Sequence {
    private final int capacity;
    private KvCache cache = new KvCache(config.layers(), config.keyValueHeads(), config.headWidth(), cacheFormat);
    private int length;

    CachedSequence(int capacity) {
      this.capacity = capacity;
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
      turn.lock();
      try {
        int batch = residual.length / width;
        for (int done = 0; done < count; done += batch) {
          int now = Math.min(batch, count - done);
          forward(cache, length, ids, from + done, now, done + now == count ? out : null);
          length += now;
        }
      } finally {
        turn.unlock();
      }
    }

    @Override
    public void close() {
      cache = null;
    }
  }

  private void forward(KvCache cache, int position, int[] ids, int from, int tokens, float[] out) {
    for (int t = 0; t < tokens; t++) {
      weights.embedding().row(ids[from + t], residual, t * width);
      rotations(position + t, t);
    }
    for (int layer = 0; layer < config.layers(); layer++) {
      LlamaWeights.Layer block = weights.layers().get(layer);
      norm(tokens, block.attentionNorm(), block.query().integer() || block.key().integer() || block.value().integer());
      products.multiply(normed, tokens, block.query(), query, queryStride, block.key(), key, keyValueStride, block.value(), value, keyValueStride);
      attention(cache, layer, position, tokens, block.attentionOutput().integer());
      products.multiply(attended, tokens, block.attentionOutput(), projected, TiledMatrix.padded(width));
      addProjected(tokens);

      norm(tokens, block.feedForwardNorm(), block.gate().integer() || block.up().integer());
      products.multiply(normed, tokens, block.gate(), gate, hiddenStride, block.up(), up, hiddenStride);
      activate(tokens, block.down().integer());
      products.multiply(activated, tokens, block.down(), projected, TiledMatrix.padded(width));
      addProjected(tokens);
    }
    if (out != null) {
      FloatMath.rmsNorm(residual, (tokens - 1) * width, weights.outputNorm(), config.normEpsilon(), last.values(), 0);
      last.quantize(0);
      products.multiply(last, 1, weights.output(), logits, logits.length);
      System.arraycopy(logits, 0, out, 0, config.vocabulary());
    }
  }

  private void norm(int tokens, float[] weight, boolean quantize) {
    pool.run(tokens, 1, (worker, from, to) -> {
      for (int t = from; t < to; t++) {
        FloatMath.rmsNorm(residual, t * width, weight, config.normEpsilon(), normed.values(), t * normed.stride());
        if (quantize) {
          normed.quantize(t);
        }
      }
    });
  }

  /** Tokens go page by page: those of a page see it exact and, once it is full, later ones see it in the cache's format. */
  private void attention(KvCache cache, int layer, int position, int tokens, boolean quantize) {
    int group = config.heads() / config.keyValueHeads();
    int headWidth = config.headWidth();
    for (int first = 0; first < tokens;) {
      int start = first;
      int count = Math.min(tokens - start, KvCache.PAGE_TOKENS - (position + start) % KvCache.PAGE_TOKENS);
      for (int t = start; t < start + count; t++) {
        rotate(query, t * queryStride, config.heads(), t);
        rotate(key, t * keyValueStride, config.keyValueHeads(), t);
        cache.put(layer, position + t, key, t * keyValueStride, value, t * keyValueStride);
      }
      pool.run(count * config.heads(), 1, (worker, from, to) -> {
        for (int i = from; i < to; i++) {
          int t = start + i / config.heads();
          int head = i % config.heads();
          cache.attend(layer, head / group, position + t, query, t * queryStride + head * headWidth, scores[worker],
              attended.values(), t * attended.stride() + head * headWidth);
        }
      });
      first += count;
      if ((position + first) % KvCache.PAGE_TOKENS == 0) {
        cache.closePage(layer);
      }
    }
    if (quantize) {
      pool.run(tokens, 1, (worker, from, to) -> {
        for (int t = from; t < to; t++) {
          attended.quantize(t);
        }
      });
    }
  }

  private void activate(int tokens, boolean quantize) {
    pool.run(tokens, 1, (worker, from, to) -> {
      for (int t = from; t < to; t++) {
        for (int i = 0; i < config.hidden(); i++) {
          activated.values()[t * activated.stride() + i] = FloatMath.silu(gate[t * hiddenStride + i]) * up[t * hiddenStride + i];
        }
        if (quantize) {
          activated.quantize(t);
        }
      }
    });
  }

  private void addProjected(int tokens) {
    int stride = TiledMatrix.padded(width);
    for (int t = 0; t < tokens; t++) {
      for (int i = 0; i < width; i++) {
        residual[t * width + i] += projected[t * stride + i];
      }
    }
  }

  private void rotations(int position, int token) {
    for (int i = 0; i < frequencies.length; i++) {
      cosines[token * frequencies.length + i] = (float) StrictMath.cos(position * frequencies[i]);
      sines[token * frequencies.length + i] = (float) StrictMath.sin(position * frequencies[i]);
    }
  }

  private void rotate(float[] vectors, int at, int heads, int token) {
    int half = frequencies.length;
    for (int head = 0; head < heads; head++) {
      int base = at + head * config.headWidth();
      for (int i = 0; i < half; i++) {
        int first = switch (config.ropePairs()) {
          case ADJACENT -> base + 2 * i;
          case HALVES -> base + i;
        };
        int second = switch (config.ropePairs()) {
          case ADJACENT -> first + 1;
          case HALVES -> first + half;
        };
        float cos = cosines[token * half + i];
        float sin = sines[token * half + i];
        float x = vectors[first];
        float y = vectors[second];
        vectors[first] = Math.fma(x, cos, -(y * sin));
        vectors[second] = Math.fma(x, sin, y * cos);
      }
    }
  }
}
