package dev.nibble.serve;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.Generation;
import dev.nibble.engine.GenerationListener;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.GenerationResult;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * An answer between the engine, which makes it, and the thread of a call, which sends it on. The engine never waits for a client:
 * pieces are buffered, and max_tokens bounds how many there can be. Pieces are taken by one thread; {@link #cancel} may come from any.
 */
public final class Answer {
  /** A piece of an answer, in order: tokens, then the end. */
  public sealed interface Piece {
    /** The next token. */
    record Token(GeneratedToken token) implements Piece {}

    /** The answer is complete; nothing follows. */
    record End(GenerationResult result) implements Piece {}
  }

  /** What the engine told: a piece, or the error that ends the answer; the other is null. */
  private record Told(Piece piece, EngineException error) {}

  private final LinkedBlockingQueue<Told> told = new LinkedBlockingQueue<>();

  // Guarded by this object's monitor: cancelling may come before the engine has taken the request.
  private Generation generation;
  private boolean cancelled;

  /** Puts a request in the engine's line; to be called once. @throws EngineException where {@link Engine#submit} does */
  public void start(Engine engine, GenerationRequest request) {
    Generation started = engine.submit(request, new Buffer());
    boolean cancelNow;
    synchronized (this) {
      generation = started;
      cancelNow = cancelled;
    }
    if (cancelNow) {
      started.cancel();
    }
  }

  /** Stops the answer before the engine's next forward pass, also one that has not started yet; idempotent. */
  public void cancel() {
    Generation started;
    synchronized (this) {
      cancelled = true;
      started = generation;
    }
    if (started != null) {
      started.cancel();
    }
  }

  /**
   * Waits for the next piece; not to be called again after {@link Piece.End} or an error.
   *
   * @throws EngineException if the answer failed, was cancelled or its deadline passed
   */
  public Piece next() throws InterruptedException {
    Told next = told.take();
    if (next.error() != null) {
      throw next.error();
    }
    return next.piece();
  }

  private final class Buffer implements GenerationListener {
    @Override
    public void onToken(GeneratedToken token) {
      told.add(new Told(new Piece.Token(token), null));
    }

    @Override
    public void onFinish(GenerationResult result) {
      told.add(new Told(new Piece.End(result), null));
    }

    @Override
    public void onError(EngineException error) {
      told.add(new Told(null, error));
    }
  }
}
