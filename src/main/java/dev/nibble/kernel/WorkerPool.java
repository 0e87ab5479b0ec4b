package dev.nibble.kernel;

import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A fixed set of platform threads that compute together. The calling thread is worker 0. Work is a range of items, of which each worker takes a
 * piece whenever it is free: slower cores, and those that other programs hold up, take fewer. The caller waits until all items are done, not
 * for all workers: one that wakes up late finds nothing left, and delays nobody. Between two ranges workers spin for a while, since the phases
 * of a forward pass follow each other at once, then park.
 *
 * <p>Callers that come at the same time, such as engines of several models, take turns; a range must not run another. How items are shared out never changes a result: each is computed by one
 * worker alone. Nothing is allocated after construction.
 */
public final class WorkerPool implements AutoCloseable {
  /** How long threads spin before they park: several times what the wake-up from parking takes (some 50 µs). */
  private static final long SPIN_NANOS = 200_000;
  /** Spins between looks at the clock, which costs as much as some spins. */
  private static final int SPINS = 32;
  /**
   * A free worker takes this part of its fair share of what is left: pieces shrink towards the end (guided self-scheduling, Polychronopoulos and Kuck
   * 1987), and a core of a quarter of the others' speed is done with its first piece before they have done the rest.
   */
  private static final int PIECES_PER_SHARE = 4;
  private static final long REMAINING_MASK = 0xffff_ffffL;

  /** Part of a computation. */
  @FunctionalInterface
  public interface Range {
    /** Computes items {@code from} to {@code to - 1}; {@code worker} is the number of the thread, from 0, to find scratch memory by. */
    void compute(int worker, int from, int to);
  }

  private final int size;
  private final Worker[] workers;
  /** Held by the caller whose range is under way. */
  private final ReentrantLock turn = new ReentrantLock();

  /**
   * Number of the range (high 32 bits) and how many of its items nobody has taken yet (low 32). Taking items is one compare-and-set of both, so
   * that a worker that was held up between reading and taking cannot take items of another range than it read of.
   */
  private final AtomicLong ticket = new AtomicLong();
  /** Items of the range under way that are not done. */
  private final AtomicLong pending = new AtomicLong();

  // The range under way. Written before `ticket` names it and not again before all its items are done: whoever has taken items reads what
  // belongs to them.
  private Range work;
  private int count;
  private int grain;

  private volatile Thread waiting; // the caller, when parked
  private volatile Throwable failure;
  private volatile boolean closed;

  /** @param size number of threads, the caller's included; 1 or more */
  public WorkerPool(int size) {
    if (size < 1) {
      throw new IllegalArgumentException("threads is " + size + "; allowed: 1 or more");
    }
    this.size = size;
    workers = new Worker[size - 1];
    for (int i = 0; i < workers.length; i++) {
      workers[i] = new Worker(i + 1);
    }
    for (Worker worker : workers) {
      worker.thread.start();
    }
  }

  /** Threads, the caller's included. */
  public int size() {
    return size;
  }

  /**
   * Computes items 0 to {@code count - 1}, in pieces of at least {@code grain}, and returns when all are done. If one fails, those not yet begun
   * are left out, and what it threw is thrown here. In a closed pool the caller computes alone.
   */
  public void run(int count, int grain, Range work) {
    if (count <= 0) {
      return;
    }
    if (size == 1 || count <= grain) {
      work.compute(0, 0, count);
      return;
    }
    turn.lock();
    try {
      runWithWorkers(count, grain, work);
    } finally {
      turn.unlock();
    }
  }

  private void runWithWorkers(int count, int grain, Range work) {
    this.work = work;
    this.count = count;
    this.grain = grain;
    pending.set(count);
    ticket.set(((ticket.get() >>> 32) + 1 << 32) + count);
    for (Worker worker : workers) {
      worker.wake();
    }
    takeAll(0);
    await();
    this.work = null;
    if (failure != null) {
      Throwable thrown = failure;
      failure = null;
      switch (thrown) {
        case RuntimeException exception -> throw exception;
        case Error error -> throw error;
        default -> throw new IllegalStateException("a kernel thread failed", thrown);
      }
    }
  }

  /** Takes and computes pieces until none is left. */
  private void takeAll(int worker) {
    for (long seen = ticket.get(); (seen & REMAINING_MASK) > 0; seen = ticket.get()) {
      int remaining = (int) seen;
      // While items are left to take, their range is under way: if the compare-and-set succeeds, grain was that range's.
      int piece = Math.min(remaining, Math.max(grain, remaining / (PIECES_PER_SHARE * size)));
      if (ticket.compareAndSet(seen, seen - piece)) {
        int from = count - remaining;
        int done = piece;
        try {
          work.compute(worker, from, from + piece);
        } catch (Throwable thrown) {
          failure = thrown;
          done += abandon();
        }
        finish(done);
      }
    }
  }

  /** Takes what nobody has taken yet; returns how much that was. Called with an item pending, so that the range stays the same. */
  private int abandon() {
    while (true) {
      long seen = ticket.get();
      int remaining = (int) seen;
      if (remaining == 0 || ticket.compareAndSet(seen, seen - remaining)) {
        return remaining;
      }
    }
  }

  private void finish(int items) {
    if (pending.addAndGet(-items) == 0) {
      Thread caller = waiting;
      if (caller != null) {
        LockSupport.unpark(caller);
      }
    }
  }

  private void await() {
    long start = 0;
    for (int spins = 1; pending.get() > 0; spins++) {
      Thread.onSpinWait();
      if (spins % SPINS == 0) {
        long now = System.nanoTime();
        start = start == 0 ? now : start;
        if (now - start > SPIN_NANOS) {
          waiting = Thread.currentThread();
          while (pending.get() > 0) {
            LockSupport.park(this);
          }
          waiting = null;
        }
      }
    }
  }

  /** Ends the threads, when they have done what they have taken. */
  @Override
  public void close() {
    closed = true;
    for (Worker worker : workers) {
      LockSupport.unpark(worker.thread);
    }
  }

  /** A thread other than the caller's. */
  private final class Worker implements Runnable {
    private final int number;
    private final Thread thread;
    private volatile boolean parked;

    Worker(int number) {
      this.number = number;
      thread = Thread.ofPlatform().name("nibble-kernel-" + number).daemon(true).unstarted(this);
    }

    /** Either the caller sees here that the worker parks, or the worker, which looks once more after saying so, sees the work. */
    void wake() {
      if (parked) {
        parked = false;
        LockSupport.unpark(thread);
      }
    }

    @Override
    public void run() {
      while (!closed) {
        if (spin()) {
          takeAll(number);
        } else {
          parked = true;
          if (!hasWork() && !closed) {
            LockSupport.park(WorkerPool.this);
          }
          parked = false;
        }
      }
    }

    /** Waits for work; returns whether there is some. */
    private boolean spin() {
      long start = System.nanoTime();
      for (int spins = 1; !hasWork(); spins++) {
        Thread.onSpinWait();
        if (spins % SPINS == 0 && (closed || System.nanoTime() - start > SPIN_NANOS)) {
          return false;
        }
      }
      return true;
    }

    private boolean hasWork() {
      return (ticket.get() & REMAINING_MASK) > 0;
    }
  }
}
