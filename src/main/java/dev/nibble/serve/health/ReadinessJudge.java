package dev.nibble.serve.health;

import dev.nibble.engine.Engine;
import dev.nibble.engine.NanoClock;
import dev.nibble.serve.api.Admission;
import dev.nibble.serve.api.ServeConfig;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.serve.api.ServingState;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.StartupEvent;
import jakarta.annotation.PreDestroy;
import jakarta.enterprise.event.Event;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/**
 * Decides whether requests should be sent here, for HTTP's health check and gRPC's alike: the model is loaded, the service is not stopping, the
 * {@link Canary} is fine, and the waiting line is not full. A full line counts until a quarter of it is gone, so that readiness does not change with
 * every request.
 */
@Singleton
public final class ReadinessJudge {
  private static final Logger LOG = Logger.getLogger(ReadinessJudge.class);
  private static final long TICK_MILLIS = 200; // probes come every few seconds; watchers and canaries hear of changes within this

  private final ServedModels models;
  private final Admission admission;
  private final ServeConfig config;
  private final Event<ReadinessVerdict> changes;
  private final int queueLimit; // 0: none
  private final Map<Canary.Outcome, Counter> runs = new EnumMap<>(Canary.Outcome.class);
  private final NanoClock clock;
  private final ScheduledExecutorService ticker =
      Executors.newSingleThreadScheduledExecutor(task -> Thread.ofPlatform().name("nibble-health").daemon(true).unstarted(task));

  // Guarded by this object's monitor.
  private final Map<Engine, Canary> canaries = new HashMap<>();
  private boolean full;
  private ReadinessVerdict last = new ReadinessVerdict(false, "loading", List.of());

  @Inject
  ReadinessJudge(ServedModels models, Admission admission, ServeConfig config, Event<ReadinessVerdict> changes, NanoClock clock, MeterRegistry registry) {
    this.models = models;
    this.admission = admission;
    this.config = config;
    this.changes = changes;
    this.clock = clock;
    queueLimit = config.ready().queueLimit().orElse(config.queueCapacity());
    for (Canary.Outcome outcome : Canary.Outcome.values()) {
      runs.put(outcome, Counter.builder("nibble.canary.runs").description("Checks of what the engine computes, by how they ended.")
          .tag("outcome", outcome.name().toLowerCase(Locale.ROOT)).register(registry));
    }
    Gauge.builder("nibble.ready", this, judge -> judge.judge().ready() ? 1 : 0).description("1 while requests should be sent here.").register(registry);
  }

  void start(@Observes StartupEvent event) {
    ticker.scheduleWithFixedDelay(this::tick, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
  }

  void changed(@Observes ServingState state) {
    judge();
  }

  @PreDestroy
  void stop() {
    ticker.shutdownNow();
  }

  private void tick() {
    try {
      look();
      judge();
    } catch (RuntimeException defect) {
      // Not thrown: the ticks would end.
      LOG.error("Readiness could not be judged.", defect);
    }
  }

  private synchronized void look() {
    if (config.ready().canaryInterval().isZero() || models.stopping()) {
      return;
    }
    long now = clock.nanoTime();
    for (Engine engine : models.all()) {
      canaries.computeIfAbsent(engine, loaded ->
          new Canary(loaded, config.ready().canaryInterval(), config.ready().canaryTimeout(), outcome -> runs.get(outcome).increment(), now)).look(now);
    }
  }

  /** What holds now; whoever watches is told first if that is new. Never waits for the engine. */
  public synchronized ReadinessVerdict judge() {
    String reason = reason();
    ReadinessVerdict verdict = new ReadinessVerdict(reason.isEmpty(), reason, models.all().stream().map(engine -> engine.model().name()).toList());
    if (!verdict.equals(last)) {
      last = verdict;
      changes.fire(verdict);
    }
    return verdict;
  }

  private String reason() {
    int waiting = models.all().stream().mapToInt(admission::waiting).max().orElse(0);
    full = queueLimit > 0 && (full ? waiting > queueLimit * 3L / 4 : waiting >= queueLimit);
    if (models.stopping()) {
      return "stopping";
    }
    if (models.all().isEmpty()) {
      return "loading";
    }
    Optional<String> ill = canaries.values().stream().map(Canary::state).filter(state -> state != Canary.Outcome.FINE)
        .map(state -> "canary_" + state.name().toLowerCase(Locale.ROOT)).findFirst();
    return ill.orElse(full ? "queue_full" : "");
  }
}
