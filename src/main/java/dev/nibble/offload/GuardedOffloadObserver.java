package dev.nibble.offload;

import dev.nibble.engine.OffloadPolicy;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.logging.Level;
import java.util.logging.Logger;

/** Tells an observer what it hears, and keeps its defects from requests and from the looks at accelerators: the first is logged. */
final class GuardedOffloadObserver implements OffloadObserver {
  private static final Logger LOG = Logger.getLogger(GuardedOffloadObserver.class.getName());

  private final OffloadObserver observer;
  private final AtomicBoolean failed = new AtomicBoolean();

  GuardedOffloadObserver(OffloadObserver observer) {
    this.observer = observer;
  }

  private void guard(Runnable callback) {
    try {
      callback.run();
    } catch (RuntimeException | LinkageError | AssertionError defect) {
      if (failed.compareAndSet(false, true)) {
        LOG.log(Level.WARNING, "An observer of offloading failed; requests go on, and further failures of it are not logged.", defect);
      }
    }
  }

  @Override
  public void decided(OffloadPolicy policy, boolean accelerator) {
    guard(() -> observer.decided(policy, accelerator));
  }

  @Override
  public void answered(String accelerator, int tokens) {
    guard(() -> observer.answered(accelerator, tokens));
  }

  @Override
  public void failed(String accelerator, FailureCause cause, boolean inAnswer) {
    guard(() -> observer.failed(accelerator, cause, inAnswer));
  }

  @Override
  public void looked(List<AcceleratorStatus> accelerators) {
    guard(() -> observer.looked(accelerators));
  }
}
