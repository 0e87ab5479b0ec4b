package dev.nibble.model.kvcache;

import dev.nibble.kernel.Hadamard;
import dev.nibble.kernel.PageLayout;
import java.util.Arrays;

/**
 * A sequence's keys and values: a table of pages of a {@link PagePool}, which sequences with the same beginning may share. Not thread-safe, but for what concerns
 * different heads.
 *
 * <p>A page is exact while it is among the last of its sequence; when a page is begun, the one that leaves them is packed, and if no other sequence needs its exact
 * part, that memory becomes the new page's. This is done layer by layer and head by head, as a pass reaches them.
 */
public final class KvCache implements AutoCloseable {
  private final PagePool pool;
  private final KvCacheShape shape;
  private final int exactPages; // that are exact at a time, the open one included
  private final KvPage[] pages;
  private final boolean[] needsExact; // pages whose exact part this sequence still reads
  private final boolean[] packsEarlier; // pages with whose beginning an earlier one is packed
  private int reserved; // pages begun or about to
  private boolean closed;

  /** An empty cache. @param capacity most tokens that it will hold */
  public KvCache(PagePool pool, int capacity) {
    this.pool = pool;
    shape = pool.shape();
    pages = new KvPage[(capacity + PageLayout.TOKENS - 1) / PageLayout.TOKENS];
    exactPages = shape.format().exactPages() + 1;
    needsExact = new boolean[pages.length];
    packsEarlier = new boolean[pages.length];
  }

  /**
   * A cache that begins with whole pages of another, which it shares: what is computed after them has the bits that it has after computing them anew.
   *
   * @param tokens a multiple of {@value PageLayout#TOKENS}, all computed; the other must not have gone on so far that exact pages are lost which the first token
   *     after them reads
   * @param capacity most tokens that the new one will hold
   * @throws IllegalArgumentException for tokens that can't be shared
   */
  public KvCache share(int tokens, int capacity) {
    int count = tokens / PageLayout.TOKENS;
    if (closed || tokens % PageLayout.TOKENS != 0 || count > reserved || tokens > capacity) {
      throw new IllegalArgumentException(tokens + " tokens can't be shared: whole pages of " + PageLayout.TOKENS + " that are computed can");
    }
    synchronized (pool) {
      // The exact pages of a sequence that is about to begin page `count`; the first of them is packed then, if it is not yet.
      int first = Math.max(0, count - exactPages);
      for (int page = first; page < count; page++) {
        boolean willBePacked = page == count - exactPages;
        if (!needsExact[page] && !(willBePacked && count < reserved)) {
          throw new IllegalArgumentException(tokens + " tokens can't be shared any more: exact keys and values of page " + page + " are gone");
        }
      }
      KvCache shared = new KvCache(pool, capacity);
      for (int page = 0; page < count; page++) {
        shared.pages[page] = pages[page];
        pages[page].holders++;
        if (page >= first && needsExact[page]) {
          shared.needsExact[page] = true;
          pages[page].exactHolders++;
        }
      }
      shared.reserved = count;
      return shared;
    }
  }

  /** Takes the pages that {@code tokens} tokens in all need. @throws IllegalStateException if the pool is full; the cache is then as before */
  public void reserve(int tokens) {
    int count = (tokens + PageLayout.TOKENS - 1) / PageLayout.TOKENS;
    if (count <= reserved) {
      return;
    }
    synchronized (pool) {
      while (reserved < count) {
        begin(reserved);
        reserved++; // so that pages taken before a refusal are not lost
      }
    }
  }

  private void begin(int page) {
    int leaving = page - exactPages;
    float[] exact;
    if (leaving >= 0 && needsExact[leaving]) {
      KvPage earlier = pages[leaving];
      if (earlier.packed == null) {
        earlier.packed = pool.takePacked();
      }
      // Where nobody else needs it, the memory is the new page's: the earlier one is packed from there first, layer by layer.
      exact = earlier.exactHolders == 1 ? earlier.exact : pool.takeExact();
      earlier.exactHolders--;
      needsExact[leaving] = false;
      packsEarlier[page] = true;
    } else {
      exact = pool.takeExact();
    }
    pages[page] = pool.takePage();
    pages[page].exact = exact;
    needsExact[page] = true;
  }

  /** Gives up its part in all pages. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    synchronized (pool) {
      for (int page = 0; page < reserved; page++) {
        KvPage held = pages[page];
        held.holders--;
        if (needsExact[page]) {
          held.exactHolders--;
          if (held.exactHolders == 0) {
            pool.give(held.exact);
          }
        }
        if (held.holders == 0) {
          if (held.packed != null) {
            pool.give(held.packed);
          }
          pool.give(held);
        }
        pages[page] = null;
      }
    }
    reserved = 0;
  }

  /** Whether tokens of {@code openPage} see {@code page} packed. */
  boolean isPacked(int page, int openPage) {
    return page <= openPage - exactPages;
  }

  int[] packed(int page) {
    return pages[page].packed;
  }

  float[] exact(int page) {
    return pages[page].exact;
  }

  /** Packs a head's part of the page that leaves the exact ones when {@code page} is begun. */
  void begin(int page, int layer, int head) {
    if (packsEarlier[page]) {
      KvPage earlier = pages[page - exactPages];
      shape.keys().pack(earlier.exact, shape.exactKeysAt(layer, head), earlier.packed, shape.packedKeysAt(layer, head));
      shape.values().pack(earlier.exact, shape.exactValuesAt(layer, head), earlier.packed, shape.packedValuesAt(layer, head));
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
    Arrays.fill(page, valueTo + width, valueTo + padded, 0);
  }
}
