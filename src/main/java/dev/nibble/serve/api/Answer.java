package dev.nibble.serve.api;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.Generation;
import dev.nibble.engine.GenerationListener;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.GenerationResult;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

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
    start(engine, request, false);
  }

  /**
   * Like {@link #start(Engine, GenerationRequest)}, for an answer that is a text of its own, not the continuation of one: the space
   * that a SentencePiece vocabulary puts before a text's first word is left out, as decoding the answer alone would.
   */
  public void startOwnText(Engine engine, GenerationRequest request) {
    start(engine, request, engine.tokenizer().dropsLeadingSpace());
  }

  private void start(Engine engine, GenerationRequest request, boolean dropSpace) {
    Generation started = engine.submit(request, new Buffer(dropSpace));
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
    return told(told.take());
  }

  /** Like {@link #next}, but waits no longer than {@code patience}: empty if nothing came. */
  public Optional<Piece> next(Duration patience) throws InterruptedException {
    Told next = told.poll(patience.toNanos(), TimeUnit.NANOSECONDS);
    return next == null ? Optional.empty() : Optional.of(told(next));
  }

  private static Piece told(Told next) {
    if (next.error() != null) {
      throw next.error();
    }
    return next.piece();
  }

  private final class Buffer implements GenerationListener {
    private boolean dropSpace; // the answer's first character is still to come, and may be left out

    Buffer(boolean dropSpace) {
      this.dropSpace = dropSpace;
    }

    @Override
    public void onToken(GeneratedToken token) {
      String text = withoutFirstSpace(token.text());
      told.add(new Told(new Piece.Token(new GeneratedToken(token.id(), text, token.logProbability(), token.alternatives())), null));
    }

    @Override
    public void onFinish(GenerationResult result) {
      told.add(new Told(new Piece.End(result.withText(withoutFirstSpace(result.text()))), null));
    }

    @Override
    public void onError(EngineException error) {
      told.add(new Told(null, error));
    }

    private String withoutFirstSpace(String text) {
      if (!dropSpace || text.isEmpty()) {
        return text;
      }
      dropSpace = false;
      return text.charAt(0) == ' ' ? text.substring(1) : text;
    }
  }
}
