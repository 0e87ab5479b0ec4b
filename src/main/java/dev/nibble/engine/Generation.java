package dev.nibble.engine;

/** A request under way. */
public interface Generation {
  /** Stops the answer before the next forward pass; idempotent, from any thread. */
  void cancel();
}
