package dev.nibble.serve.api;

import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Counts calls whose answer is still being sent. An engine is done with a request before its last words are on the wire; stopping
 * waits for those as well.
 */
@Singleton
public final class CallTracker {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition none = lock.newCondition();
  private int calls;

  /** A call under way, until closed. */
  public interface Call extends AutoCloseable {
    @Override
    void close();
  }

  /** Counts a call from now until the returned object is closed, once. */
  public Call begin() {
    lock.lock();
    try {
      calls++;
    } finally {
      lock.unlock();
    }
    return this::end;
  }

  private void end() {
    lock.lock();
    try {
      calls--;
      if (calls == 0) {
        none.signalAll();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Waits until no call is under way; false if some still are after {@code patience}. */
  public boolean awaitNone(Duration patience) {
    lock.lock();
    try {
      long left = TimeUnit.NANOSECONDS.convert(patience);
      while (calls > 0 && left > 0) {
        left = none.awaitNanos(left);
      }
      return calls == 0;
    } catch (InterruptedException interrupt) {
      Thread.currentThread().interrupt();
      return false;
    } finally {
      lock.unlock();
    }
  }
}
