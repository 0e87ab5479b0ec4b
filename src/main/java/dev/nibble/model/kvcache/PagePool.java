package dev.nibble.model.kvcache;

import java.util.ArrayDeque;

/**
 * Memory of the pages of a model's sequences. Pages that a sequence gives back go to the next that asks: once as many exist as are ever in use together,
 * nothing is allocated any more. Thread-safe.
 */
public final class PagePool {
  private final KvCacheShape shape;
  private final long limit;
  private final ArrayDeque<int[]> freePacked = new ArrayDeque<>();
  private final ArrayDeque<float[]> freeExact = new ArrayDeque<>();
  private final ArrayDeque<KvPage> freePages = new ArrayDeque<>(); // without memory
  private long used;
  private long allocated;

  /** A pool without a limit. */
  public PagePool(KvCacheShape shape) {
    this(shape, Long.MAX_VALUE);
  }

  /** @param limit most bytes of pages in use and free together */
  public PagePool(KvCacheShape shape, long limit) {
    this.shape = shape;
    this.limit = limit;
  }

  /** What its pages are for. */
  public KvCacheShape shape() {
    return shape;
  }

  /** Most bytes of pages in use and free together. */
  public long limitBytes() {
    return limit;
  }

  /** Bytes of pages in use by sequences. */
  public synchronized long usedBytes() {
    return used;
  }

  /** Bytes of all pages, free ones included. */
  public synchronized long allocatedBytes() {
    return allocated;
  }

  /** A page of one holder, without memory. */
  synchronized KvPage takePage() {
    KvPage page = freePages.poll();
    if (page == null) {
      page = new KvPage();
    }
    page.holders = 1;
    page.exactHolders = 1;
    return page;
  }

  /** A page of {@link KvCacheShape#packedInts} ints with anything in it. @throws IllegalStateException beyond the limit */
  synchronized int[] takePacked() {
    int[] page = freePacked.poll();
    if (page == null) {
      grow(shape.packedPageBytes());
      page = new int[shape.packedInts()];
      allocated += shape.packedPageBytes();
    }
    used += shape.packedPageBytes();
    return page;
  }

  /** A page of {@link KvCacheShape#exactFloats} floats with anything in it. @throws IllegalStateException beyond the limit */
  synchronized float[] takeExact() {
    float[] page = freeExact.poll();
    if (page == null) {
      grow(shape.exactPageBytes());
      page = new float[shape.exactFloats()];
      allocated += shape.exactPageBytes();
    }
    used += shape.exactPageBytes();
    return page;
  }

  /** Makes room below the limit, by letting free pages of the other kind go. */
  private void grow(long bytes) {
    while (allocated > limit - bytes && !freeExact.isEmpty()) {
      freeExact.poll();
      allocated -= shape.exactPageBytes();
    }
    while (allocated > limit - bytes && !freePacked.isEmpty()) {
      freePacked.poll();
      allocated -= shape.packedPageBytes();
    }
    if (allocated > limit - bytes) {
      throw new IllegalStateException("the KV cache is full: its sequences hold " + used + " of " + limit + " bytes");
    }
  }

  /** @param page whose memory is given back already, or is another page's */
  synchronized void give(KvPage page) {
    page.exact = null;
    page.packed = null;
    freePages.push(page);
  }

  synchronized void give(int[] page) {
    freePacked.push(page);
    used -= shape.packedPageBytes();
  }

  synchronized void give(float[] page) {
    freeExact.push(page);
    used -= shape.exactPageBytes();
  }
}
