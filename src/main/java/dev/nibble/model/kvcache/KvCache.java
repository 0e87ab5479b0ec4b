package dev.nibble.model.kvcache;

import dev.nibble.kernel.Hadamard;
import dev.nibble.kernel.PageLayout;

/** A sequence's keys and values, in pages of a {@link PagePool}. Not thread-safe, but for what concerns different heads. */
public final class KvCache implements AutoCloseable {
  private final PagePool pool;
  private final KvCacheShape shape;
  private final int[][] packed; // [page]; null where not reached yet
  private final float[][] exact; // ring: page p is at p % length
  private int reserved; // pages begun or about to
  private boolean closed;

  /** An empty cache. @param capacity most tokens that it will hold */
  public KvCache(PagePool pool, int capacity) {
    this.pool = pool;
    shape = pool.shape();
    int pages = (capacity + PageLayout.TOKENS - 1) / PageLayout.TOKENS;
    exact = new float[Math.min(pages, shape.format().exactPages() + 1)][];
    packed = new int[pages - exact.length][];
  }

  /** Takes the pages that {@code tokens} tokens in all need. @throws IllegalStateException if the pool is full; the cache is then as before */
  public void reserve(int tokens) {
    int pages = (tokens + PageLayout.TOKENS - 1) / PageLayout.TOKENS;
    for (int page = reserved; page < pages; page++) {
      if (page < exact.length) {
        exact[page] = pool.takeExact();
      } else {
        packed[page - exact.length] = pool.takePacked();
      }
      reserved = page + 1; // so that pages taken before a refusal are not lost
    }
  }

  /** Gives all pages back. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    for (int page = 0; page < reserved; page++) {
      if (page < exact.length) {
        pool.give(exact[page]);
        exact[page] = null;
      } else {
        pool.give(packed[page - exact.length]);
        packed[page - exact.length] = null;
      }
    }
    reserved = 0;
  }

  /** Whether tokens of {@code openPage} see {@code page} packed. */
  boolean isPacked(int page, int openPage) {
    return page < openPage - shape.format().exactPages();
  }

  int[] packed(int page) {
    return packed[page];
  }

  float[] exact(int page) {
    return exact[page % exact.length];
  }

  /** Packs a head's part of the page whose exact memory {@code page} is about to take. */
  void begin(int page, int layer, int head) {
    if (page >= exact.length) {
      int[] to = packed[page - exact.length];
      float[] from = exact(page);
      shape.keys().pack(from, shape.exactKeysAt(layer, head), to, shape.packedKeysAt(layer, head));
      shape.values().pack(from, shape.exactValuesAt(layer, head), to, shape.packedValuesAt(layer, head));
    }
  }

  /** Keeps a head's key and value of a token. Rotates the key, in place, where the format says so. */
  void put(int layer, int head, int position, float[] keys, int keyAt, float[] values, int valueAt) {
    int width = shape.width();
    int padded = shape.paddedWidth();
    int token = position % PageLayout.TOKENS;
    float[] page = exact(position / PageLayout.TOKENS);
    if (shape.format().rotate()) {
      Hadamard.rotate(keys, keyAt, width);
    }
    int to = shape.exactKeysAt(layer, head) + token;
    for (int c = 0; c < width; c++) {
      page[to + c * PageLayout.TOKENS] = keys[keyAt + c];
    }
    for (int c = width; c < padded; c++) {
      page[to + c * PageLayout.TOKENS] = 0;
    }
    int valueTo = shape.exactValuesAt(layer, head) + token * padded;
    System.arraycopy(values, valueAt, page, valueTo, width);
    java.util.Arrays.fill(page, valueTo + width, valueTo + padded, 0);
  }
}
