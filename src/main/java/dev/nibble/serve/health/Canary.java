package dev.nibble.serve.health;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.Generation;
import dev.nibble.engine.GenerationListener;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.GenerationResult;
import dev.nibble.engine.SamplingParameters;
import dev.nibble.serve.api.PromptBuilder;
import dev.nibble.tokenizer.EncodingBudget;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jboss.logging.Logger;

/**
 * Sees whether an engine still computes what it computed when its model was loaded: a few greedy tokens after a fixed prompt, first as soon as the
 * engine is idle, then whenever it has been idle for a while. The same numbers come out of the same weights on every machine and at every time, so
 * that other tokens mean damaged memory or a defect. A request that comes meanwhile ends the run, which then says nothing. Used by one thread.
 */
final class Canary {
  /** How a run ended; a run that gave way is none. */
  enum Outcome {
    /** The first run's tokens, or the first run. */
    FINE,
    /** Not finished in time. */
    LATE,
    /** Other tokens. */
    DIFFERENT,
    /** A defect of ours. */
    FAILED
  }

  private static final Logger LOG = Logger.getLogger(Canary.class);
  private static final String PROMPT = "The quick brown fox";
  private static final int TOKENS = 4; // enough to read every weight by prompt and by single tokens, and to choose more than once
  /** While something is wrong, the next run does not wait for longer than this. */
  private static final long SOON_NANOS = TimeUnit.SECONDS.toNanos(5);

  private final Engine engine;
  private final long intervalNanos;
  private final long timeoutNanos;
  private final Consumer<Outcome> outcomes;

  private List<Integer> expected = List.of(); // ids of the first run; empty before it
  private Run run; // null: none under way
  private boolean impossible;
  private long passes;
  private long quietSince;
  private long lastRun;
  private volatile Outcome state = Outcome.FINE;

  /**
   * @param interval how long the engine is idle before the next run
   * @param timeout how long a run may take
   * @param outcomes hears how each run ended
   * @param now a value of the clock that {@link #look} gets values of
   */
  Canary(Engine engine, Duration interval, Duration timeout, Consumer<Outcome> outcomes, long now) {
    this.engine = engine;
    this.outcomes = outcomes;
    quietSince = now;
    lastRun = now;
    intervalNanos = TimeUnit.NANOSECONDS.convert(interval);
    timeoutNanos = TimeUnit.NANOSECONDS.convert(timeout);
  }

  /** How the last run ended, or that the one under way is late. For any thread. */
  Outcome state() {
    return state;
  }

  /** Does what is due at {@code now}, a value of {@link dev.nibble.engine.NanoClock}; never waits. */
  void look(long now) {
    if (run != null) {
      follow(now);
    } else if (!impossible && due(now)) {
      begin(now);
    }
  }

  private boolean due(long now) {
    long seen = engine.forwardPasses();
    boolean idle = engine.running() == 0 && engine.queueDepth() == 0;
    if (!idle || seen != passes) {
      passes = seen;
      quietSince = now;
    }
    if (!idle || !engine.alive()) {
      return false;
    }
    if (expected.isEmpty() && state == Outcome.FINE) {
      return true;
    }
    if (state != Outcome.FINE) {
      return now - lastRun >= Math.min(intervalNanos, SOON_NANOS);
    }
    return now - lastRun >= intervalNanos && now - quietSince >= intervalNanos;
  }

  private void begin(long now) {
    Run next = new Run();
    try {
      int[] prompt = PromptBuilder.text(engine.tokenizer(), PROMPT, EncodingBudget.unlimited());
      Optional<Generation> begun = engine.probe(
          new GenerationRequest(prompt, TOKENS, SamplingParameters.GREEDY, List.of(), -1, true, Long.MAX_VALUE), next);
      if (begun.isPresent()) {
        next.generation = begun.get();
        lastRun = now;
        run = next;
      }
    } catch (EngineException refusal) {
      if (refusal.error() != EngineError.SHUTTING_DOWN) {
        impossible = true;
        LOG.warnf("The model can't be watched by a canary: %s", refusal.getMessage());
      }
    }
  }

  private void follow(long now) {
    Optional<Outcome> end = run.end();
    if (end.isEmpty()) {
      if (run.inTime && now - lastRun > timeoutNanos) {
        run.inTime = false;
        run.generation.cancel();
        become(Outcome.LATE);
      }
      return;
    }
    Run ended = run;
    run = null;
    lastRun = now;
    if (!ended.inTime || ended.gaveWay) {
      return;
    }
    Outcome outcome = end.get();
    if (outcome == Outcome.FINE) {
      if (expected.isEmpty()) {
        expected = List.copyOf(ended.ids);
      } else if (!expected.equals(ended.ids)) {
        outcome = Outcome.DIFFERENT;
      }
    }
    become(outcome);
  }

  private void become(Outcome outcome) {
    outcomes.accept(outcome);
    if (outcome != state) {
      switch (outcome) {
        case FINE -> LOG.infof("Model \"%s\" computes as it did when it was loaded.", engine.model().name());
        case LATE -> LOG.errorf("Model \"%s\" did not compute %d tokens in %d s.", engine.model().name(), TOKENS, TimeUnit.NANOSECONDS.toSeconds(timeoutNanos));
        case DIFFERENT -> LOG.errorf("Model \"%s\" computes other tokens than when it was loaded: its memory is damaged, or there is a defect.", engine.model().name());
        case FAILED -> LOG.errorf("Model \"%s\" could not compute %d tokens.", engine.model().name(), TOKENS);
      }
    }
    state = outcome;
  }

  /** One run; told by the engine's thread, read by the canary's. */
  private static final class Run implements GenerationListener {
    private final List<Integer> ids = new ArrayList<>(); // published by `end`
    private volatile Outcome end; // null: not yet
    private volatile boolean gaveWay;
    private Generation generation;
    private boolean inTime = true;

    Optional<Outcome> end() {
      return Optional.ofNullable(end);
    }

    @Override
    public void onToken(GeneratedToken token) {
      ids.add(token.id());
    }

    @Override
    public void onFinish(GenerationResult result) {
      end = Outcome.FINE;
    }

    @Override
    public void onError(EngineException error) {
      gaveWay = error.error() != EngineError.INTERNAL; // cancelled: by a request, or by the engine's end
      end = Outcome.FAILED;
    }
  }
}
