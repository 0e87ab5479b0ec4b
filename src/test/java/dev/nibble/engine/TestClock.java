package dev.nibble.engine;

import java.util.concurrent.atomic.AtomicLong;

/** A clock that stands still until a test advances it, and counts how often it was read. */
public final class TestClock implements NanoClock {
  // Any value may be a clock's first one; this one passes the largest in 2 seconds.
  private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 2_000_000_000L);
  private final AtomicLong reads = new AtomicLong();

  @Override
  public long nanoTime() {
    reads.incrementAndGet();
    return now.get();
  }

  public void advanceSeconds(long seconds) {
    now.addAndGet(seconds * 1_000_000_000L);
  }

  /** How often it was read. */
  public long reads() {
    return reads.get();
  }
}
