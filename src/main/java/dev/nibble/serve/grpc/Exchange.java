package dev.nibble.serve.grpc;

import dev.nibble.serve.api.CallTracker;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The response of one call, written by one thread that may wait. A message is handed to the transport only when that has room for
 * it, so that a slow client slows its writer and not the service's memory.
 *
 * @param <T> type of the messages
 */
final class Exchange<T> {
  /** Deadlines further away than this are none: the nanosecond clock can't tell them. */
  private static final long FARTHEST_NANOS = TimeUnit.DAYS.toNanos(365);

  private final ServerCallStreamObserver<T> observer;
  private final CallTracker.Call call;
  private final long deadlineNanos;
  private final AtomicBoolean ended = new AtomicBoolean();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private volatile boolean gone;

  /**
   * To be made on the call's event loop, before the service's method returns.
   *
   * @param call ends when the last message is on the wire, or the client is gone
   * @param onGone runs on the event loop when the client cancels, disconnects, or its deadline passes
   */
  Exchange(ServerCallStreamObserver<T> observer, CallTracker.Call call, Runnable onGone) {
    this.observer = observer;
    this.call = call;
    deadlineNanos = nanos(Context.current().getDeadline());
    observer.setOnReadyHandler(this::wake);
    observer.setOnCancelHandler(() -> {
      gone = true;
      wake();
      onGone.run();
      end();
    });
    observer.setOnCloseHandler(this::end);
  }

  /** {@link System#nanoTime()} by which the client wants the answer; {@link Long#MAX_VALUE} for none. */
  long deadlineNanos() {
    return deadlineNanos;
  }

  /** Whether the client went away before the response was complete. */
  boolean gone() {
    return gone;
  }

  /** Sends a message as soon as the transport has room for it; false if the client is gone. */
  boolean send(T message) throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (!gone && !observer.isReady()) {
        changed.await();
      }
    } finally {
      lock.unlock();
    }
    if (gone) {
      return false;
    }
    observer.onNext(message);
    return true;
  }

  /** Ends the response well. */
  void complete() {
    observer.onCompleted();
  }

  /** Ends the response with an error. */
  void fail(StatusRuntimeException error) {
    observer.onError(error);
  }

  /** Waits until the response is on the wire, or the client gone. */
  void awaitEnd() throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (!ended.get()) {
        changed.await();
      }
    } finally {
      lock.unlock();
    }
  }

  private void wake() {
    lock.lock();
    try {
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void end() {
    if (ended.compareAndSet(false, true)) {
      call.close();
      wake();
    }
  }

  private static long nanos(Deadline deadlineOrNull) {
    if (deadlineOrNull == null) {
      return Long.MAX_VALUE;
    }
    long left = deadlineOrNull.timeRemaining(TimeUnit.NANOSECONDS);
    return left > FARTHEST_NANOS ? Long.MAX_VALUE : System.nanoTime() + left;
  }
}
