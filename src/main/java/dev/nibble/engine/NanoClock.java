package dev.nibble.engine;

/** A clock that only counts on: differences of its values are times that passed. Programs take {@link #SYSTEM}, tests one that they advance. */
@FunctionalInterface
public interface NanoClock {
  /** {@link System#nanoTime()}. */
  NanoClock SYSTEM = System::nanoTime;

  /** Nanoseconds since some moment, which may lie ahead: values are compared by their difference alone. */
  long nanoTime();
}
