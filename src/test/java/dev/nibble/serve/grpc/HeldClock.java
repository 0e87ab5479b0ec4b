package dev.nibble.serve.grpc;

import dev.nibble.engine.NanoClock;
import dev.nibble.engine.TestClock;
import jakarta.enterprise.inject.Alternative;
import jakarta.inject.Singleton;

/** A service's clock in the hands of a test. */
@Alternative
@Singleton
class HeldClock implements NanoClock {
  private final TestClock clock = new TestClock();

  @Override
  public long nanoTime() {
    return clock.nanoTime();
  }

  void advanceSeconds(long seconds) {
    clock.advanceSeconds(seconds);
  }

  long reads() {
    return clock.reads();
  }
}
