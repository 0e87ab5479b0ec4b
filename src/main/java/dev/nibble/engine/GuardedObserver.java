package dev.nibble.engine;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.logging.Level;
import java.util.logging.Logger;

/** Tells an observer what it hears, and keeps its defects from requests: the first is logged, and what counts requests never fails one. */
public final class GuardedObserver implements EngineObserver {
  private static final Logger LOG = Logger.getLogger(GuardedObserver.class.getName());

  private final EngineObserver observer;
  private final AtomicBoolean failed = new AtomicBoolean();

  private GuardedObserver(EngineObserver observer) {
    this.observer = observer;
  }

  /** An observer that never throws. */
  public static EngineObserver of(EngineObserver observer) {
    return observer instanceof GuardedObserver || observer == NONE ? observer : new GuardedObserver(observer);
  }

  private void guard(Runnable callback) {
    try {
      callback.run();
    } catch (RuntimeException | LinkageError | AssertionError defect) {
      if (failed.compareAndSet(false, true)) {
        LOG.log(Level.WARNING, "An observer of the engine failed; requests go on, and further failures of it are not logged.", defect);
      }
    }
  }

  @Override
  public void refused(EngineError reason) {
    guard(() -> observer.refused(reason));
  }

  @Override
  public void queued() {
    guard(observer::queued);
  }

  @Override
  public void started(double queueSeconds) {
    guard(() -> observer.started(queueSeconds));
  }

  @Override
  public void firstToken(double seconds) {
    guard(() -> observer.firstToken(seconds));
  }

  @Override
  public void token(double seconds) {
    guard(() -> observer.token(seconds));
  }

  @Override
  public void finished(Outcome outcome, GenerationResult result) {
    guard(() -> observer.finished(outcome, result));
  }
}
