package dev.nibble.serve;

import dev.nibble.engine.NanoClock;
import jakarta.inject.Singleton;

/** The machine's clock, for whoever is to be given another one in tests. */
@Singleton
public final class SystemClock implements NanoClock {
  @Override
  public long nanoTime() {
    return System.nanoTime();
  }
}
