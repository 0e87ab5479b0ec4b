package dev.nibble.engine;

import dev.nibble.tokenizer.Tokenizer;
import java.time.Duration;
import java.util.Optional;

/** Runs requests on one loaded model: first come, first served, with a bounded waiting line. Thread-safe. */
public interface Engine extends AutoCloseable {
  ModelInfo model();

  Tokenizer tokenizer();

  /** Most tokens of prompt and answer together: what the context holds, or the memory for keys and values if that holds fewer. */
  default int longestSequence() {
    return model().contextLength();
  }

  /**
   * Puts a request in line.
   *
   * @throws EngineException with INVALID_REQUEST, CONTEXT_LENGTH_EXCEEDED, KV_MEMORY_EXCEEDED, QUEUE_FULL (metadata {@code retry_after_seconds}) or SHUTTING_DOWN,
   *     or ACCELERATOR_UNAVAILABLE; then the listener hears nothing
   */
  Generation submit(GenerationRequest request, GenerationListener listener);

  /**
   * Looks whether a request would find room in line, before anything is done for it.
   *
   * @param ahead requests let in before it that are not in line yet
   * @throws EngineException QUEUE_FULL or SHUTTING_DOWN; that counts as a refusal
   */
  void requireRoom(int ahead);

  /** Counts a request that was refused before it came to {@link #submit}, while its prompt was made. */
  default void countRefusal(EngineError reason) {}

  /**
   * Begins a request of the service's own, to see whether the engine computes as it did, if nothing else is computed or waits. It gives way: a
   * request that comes meanwhile cancels it. It is no user's: observers do not hear of it, and {@link #running} and {@link #forwardPasses} leave it
   * out.
   *
   * @return empty if the engine is busy, or has no such requests
   * @throws EngineException as {@link #submit}
   */
  default Optional<Generation> probe(GenerationRequest request, GenerationListener listener) {
    return Optional.empty();
  }

  /**
   * For how long what is computed has made no step, in nanoseconds: a step is its beginning, and each forward pass' beginning and end. 0 while
   * nothing is computed. Cheap, and never waits for the engine.
   */
  default long nanosSinceStep() {
    return 0;
  }

  /** Requests waiting for their turn. */
  int queueDepth();

  /** Requests being computed. */
  int running();

  /** Fraction of the memory for keys and values that requests hold now, 0 to 1. */
  default double cacheUsage() {
    return 0;
  }

  /** How fast answers were computed here lately. */
  default Rates rates() {
    return Rates.NONE;
  }

  /** How long a request that came now would wait for its turn, in seconds, by how long the last ones took; 0 where none would wait or nothing is known. */
  default double expectedWaitSeconds() {
    return 0;
  }

  /** Forward passes since the start: one for a chunk of prompt, one for each further token. */
  long forwardPasses();

  /** Whether the thread that computes runs; false after closing, and if a defect ended it. */
  boolean alive();

  /** Refuses new requests from now on, and waits for accepted ones; true if all finished in time, else the rest is cancelled. */
  boolean drain(Duration grace);

  @Override
  void close();
}
