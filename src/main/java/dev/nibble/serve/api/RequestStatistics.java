package dev.nibble.serve.api;

import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineObserver;
import dev.nibble.engine.GenerationResult;
import jakarta.inject.Singleton;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** What became of each model's requests since the start, as the Open Inference Protocol's statistics tell it. Thread-safe. */
@Singleton
public final class RequestStatistics {
  private final Map<String, Model> models = new ConcurrentHashMap<>();

  /**
   * How often something happened, and how long it took in all.
   *
   * @param nanos in nanoseconds
   */
  public record Sum(long count, long nanos) {
    /** Nothing yet. */
    public static final Sum ZERO = new Sum(0, 0);

    Sum plus(long more) {
      return new Sum(count + 1, nanos + Math.max(0, more));
    }
  }

  /**
   * A model's requests.
   *
   * @param lastEpochMillis when the last one came, in milliseconds since 1970; 0 before the first
   * @param success those that were answered, from arrival to end
   * @param fail all others: refused by the engine (which takes no time), cancelled, late, or failed
   * @param queue of those that were answered: waiting for their turn
   * @param compute of those that were answered: forward passes of prompt and tokens
   */
  public record Totals(long lastEpochMillis, Sum success, Sum fail, Sum queue, Sum compute) {
    /** Before the first request. */
    public static final Totals NONE = new Totals(0, Sum.ZERO, Sum.ZERO, Sum.ZERO, Sum.ZERO);

    /** A part of answering that takes no time worth measuring, as often as there were answers. */
    public Sum unmeasured() {
      return new Sum(success.count(), 0);
    }
  }

  /** An observer that counts a model's requests, and then tells another. */
  public EngineObserver observe(String model, EngineObserver next) {
    return new Counting(models.computeIfAbsent(model, name -> new Model()), next);
  }

  /** What became of a model's requests so far. */
  public Totals of(String model) {
    Model known = models.get(model);
    return known == null ? Totals.NONE : known.totals();
  }

  private static final class Model {
    private Totals totals = Totals.NONE;

    synchronized Totals totals() {
      return totals;
    }

    synchronized void came() {
      totals = new Totals(System.currentTimeMillis(), totals.success, totals.fail, totals.queue, totals.compute);
    }

    synchronized void answered(GenerationResult result) {
      long compute = result.prefillNanos() + result.decodeNanos();
      totals = new Totals(totals.lastEpochMillis, totals.success.plus(result.queueNanos() + compute), totals.fail, totals.queue.plus(result.queueNanos()),
          totals.compute.plus(compute));
    }

    synchronized void failed(long nanos) {
      totals = new Totals(totals.lastEpochMillis, totals.success, totals.fail.plus(nanos), totals.queue, totals.compute);
    }
  }

  private record Counting(Model model, EngineObserver next) implements EngineObserver {
    @Override
    public void refused(EngineError reason) {
      model.came();
      model.failed(0);
      next.refused(reason);
    }

    @Override
    public void queued() {
      model.came();
      next.queued();
    }

    @Override
    public void started(double queueSeconds) {
      next.started(queueSeconds);
    }

    @Override
    public void firstToken(double seconds) {
      next.firstToken(seconds);
    }

    @Override
    public void token(double seconds) {
      next.token(seconds);
    }

    @Override
    public void finished(Outcome outcome, GenerationResult result) {
      switch (outcome) {
        case STOP, LENGTH -> model.answered(result);
        case CANCELLED, DEADLINE_EXCEEDED, FAILED -> model.failed(result.queueNanos() + result.prefillNanos() + result.decodeNanos());
      }
      next.finished(outcome, result);
    }
  }
}
