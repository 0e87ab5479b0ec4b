package dev.nibble.kernel;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * A fixed set of platform threads that compute together. The calling thread is worker 0. Between two pieces of work the others spin
 * for some microseconds, since the phases of a forward pass follow each other at once, then park.
 *
 * <p>Used by one thread at a time. How items are shared out never changes a result: each is computed by one worker alone.
 */
public final class WorkerPool implements AutoCloseable {
  /** Spins of some 20 to 40 ns each: about the time a thread takes to be woken from parking, twice. */
  private static final int SPINS = 2000;
  /** Pieces a worker gets of a range, so that a worker that is held up by other programs leaves its share to the rest. */
  private static final int PIECES_PER_WORKER = 6;

  /** Part of a computation. */
  @FunctionalInterface
  public interface Range {
    /** Computes items {@code from} to {@code to - 1}; {@code worker} is the number of the thread, from 0, to find scratch memory by. */
    void compute(int worker, int from, int to);
  }

  private final Thread[] threads;
  private final AtomicInteger next = new AtomicInteger();
  private final AtomicInteger busy = new AtomicInteger();
  private final int size;

  // Written before `epoch`, read after it.
  private Range work;
  private int count;
  private int piece;
  private volatile int epoch;
  private volatile boolean closed;
  private volatile Throwable failure;

  /** @param size number of threads, the caller's included; 1 or more */
  public WorkerPool(int size) {
    if (size < 1) {
      throw new IllegalArgumentException("threads is " + size + "; allowed: 1 or more");
    }
    this.size = size;
    threads = new Thread[size - 1];
    for (int i = 0; i < threads.length; i++) {
      int worker = i + 1;
      threads[i] = Thread.ofPlatform().name("nibble-kernel-" + worker).daemon(true).start(() -> serve(worker));
    }
  }

  /** Threads, the caller's included. */
  public int size() {
    return size;
  }

  /** Computes items 0 to {@code count - 1}, in pieces of at least {@code grain}, and returns when all are done. */
  public void run(int count, int grain, Range work) {
    if (count <= 0) {
      return;
    }
    if (size == 1 || count <= grain) {
      work.compute(0, 0, count);
      return;
    }
    this.work = work;
    this.count = count;
    piece = Math.max(grain, (count + size * PIECES_PER_WORKER - 1) / (size * PIECES_PER_WORKER));
    next.set(0);
    busy.set(threads.length);
    epoch++; // the only writer is the calling thread
    for (Thread thread : threads) {
      LockSupport.unpark(thread); // cheap where the thread is not parked
    }
    try {
      compute(0);
    } finally {
      // Also after a failure: nobody may still be writing when the caller goes on.
      for (int spins = 0; busy.get() > 0; spins++) {
        if (spins < SPINS) {
          Thread.onSpinWait();
        } else {
          Thread.yield();
        }
      }
    }
    Throwable thrown = failure;
    if (thrown != null) {
      failure = null;
      switch (thrown) {
        case RuntimeException exception -> throw exception;
        case Error error -> throw error;
        default -> throw new IllegalStateException("a kernel thread failed", thrown);
      }
    }
  }

  private void compute(int worker) {
    int count = this.count;
    int piece = this.piece;
    Range work = this.work;
    for (int from = next.getAndAdd(piece); from < count; from = next.getAndAdd(piece)) {
      work.compute(worker, from, Math.min(count, from + piece));
    }
  }

  private void serve(int worker) {
    int seen = 0;
    while (true) {
      int spins = 0;
      while (epoch == seen && !closed) {
        if (spins++ < SPINS) {
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
        }
      }
      if (closed) {
        return;
      }
      seen = epoch;
      try {
        compute(worker);
      } catch (Throwable thrown) {
        failure = thrown;
        next.set(count);
      } finally {
        busy.decrementAndGet();
      }
    }
  }

  /** Ends the threads. */
  @Override
  public void close() {
    closed = true;
    for (Thread thread : threads) {
      LockSupport.unpark(thread);
    }
  }
}
