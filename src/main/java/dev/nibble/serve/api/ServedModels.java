package dev.nibble.serve.api;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.format.Printable;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.annotation.Priority;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Event;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.eclipse.microprofile.config.Config;
import org.eclipse.microprofile.config.ConfigProvider;
import org.jboss.logging.Logger;

/**
 * The models that requests can name. Loading runs on a thread of its own while the servers are already up and say so; a model that
 * can't be loaded ends the service with exit code {@value #EXIT_LOAD_FAILED}. Stopping lets accepted requests finish.
 */
@ApplicationScoped
public class ServedModels {
  /** Exit code of a service whose model can't be loaded. */
  public static final int EXIT_LOAD_FAILED = 2;

  private static final Logger LOG = Logger.getLogger(ServedModels.class);
  /** What clients of Ollama put behind a model's name where they mean its only version. */
  private static final String LATEST = ":latest";
  /** What is left for the last words of calls when the engine took the whole grace period. */
  private static final Duration LAST_WORDS = Duration.ofSeconds(1);

  private final ServeConfig config;
  private final EngineLoader loader;
  private final CallTracker calls;
  private final Admission admission;
  private final Event<ServingState> changes;

  // Both change under this object's monitor and are read without it. The first engine is the default one.
  private volatile List<Engine> engines = List.of();
  private volatile boolean stopping;

  @Inject
  public ServedModels(ServeConfig config, EngineLoader loader, CallTracker calls, Admission admission, Event<ServingState> changes) {
    this.config = config;
    this.loader = loader;
    this.calls = calls;
    this.admission = admission;
    this.changes = changes;
  }

  /** The engine of a model by its name, behind which {@code :latest} may stand; an empty name finds the default one. */
  public Optional<Engine> find(String name) {
    List<Engine> served = engines;
    Optional<Engine> exact = served.stream().filter(engine -> name.isEmpty() || engine.model().name().equals(name)).findFirst();
    return exact.isPresent() || !name.endsWith(LATEST)
        ? exact
        : served.stream().filter(engine -> name.equals(engine.model().name() + LATEST)).findFirst();
  }

  /**
   * The engine of a model by its name, the default one for an empty name.
   *
   * @throws EngineException MODEL_LOADING until loading is over, then MODEL_NOT_FOUND for other names than those served
   */
  public Engine require(String name) {
    List<Engine> served = engines;
    if (served.isEmpty()) {
      throw stopping
          ? new EngineException(EngineError.SHUTTING_DOWN, "The service is stopping and takes no new requests.", Map.of())
          : new EngineException(EngineError.MODEL_LOADING, "The model is being loaded; try again shortly.", Map.of("retry_after_seconds", "1"));
    }
    return find(name).orElseThrow(() -> notFound(name, served));
  }

  private static EngineException notFound(String name, List<Engine> served) {
    String names = served.stream().map(engine -> "\"" + engine.model().name() + "\"").collect(Collectors.joining(", "));
    return new EngineException(
        EngineError.MODEL_NOT_FOUND, "No model \"" + name + "\" is served here; served: " + names + ".", Map.of("model", name));
  }

  /** Engines of all served models, the default one first; empty while loading. */
  public List<Engine> all() {
    return engines;
  }

  /** Whether requests should be sent here: models are loaded and the service is not stopping. */
  public boolean ready() {
    return !stopping && !engines.isEmpty();
  }

  /** Whether the service takes no new requests any more, or is about to. */
  public boolean stopping() {
    return stopping;
  }

  void start(@Observes StartupEvent event) {
    Thread.ofPlatform().name("nibble-loader").daemon(true).start(this::load);
  }

  private void load() {
    try {
      publish(loader.load(config));
    } catch (IOException | RuntimeException | Error failure) {
      // Errors too (no memory, no native library): without a model there is nothing to stay up for.
      String reason = Printable.message(failure.getMessage() == null ? failure.toString() : failure.getMessage());
      LOG.fatalf("The model can't be loaded, so the service stops: %s", reason);
      LOG.debug("Loading failed", failure);
      Quarkus.asyncExit(EXIT_LOAD_FAILED);
    }
  }

  private void publish(Engine engine) {
    synchronized (this) {
      if (!stopping) {
        engines = List.of(engine);
      }
    }
    if (stopping) {
      engine.close();
      return;
    }
    // As configured: 0, which tests use, stands for any free port.
    Config settings = ConfigProvider.getConfig();
    LOG.infof("Serving model \"%s\": REST on port %s, gRPC on port %s.", engine.model().name(),
        settings.getConfigValue("quarkus.http.port").getValue(), settings.getConfigValue("quarkus.grpc.server.port").getValue());
    announce();
  }

  /**
   * Lets accepted requests finish. Quarkus closes its HTTP server before it fires {@link ShutdownEvent}; this event, which
   * {@code quarkus.shutdown.delay-enabled} turns on, comes while the servers are up, and they stay up until this returns.
   */
  void finish(@Observes ShutdownDelayInitiatedEvent event) {
    leave();
    long end = System.nanoTime() + config.gracePeriod().toNanos();
    admission.drain(config.gracePeriod());
    for (Engine engine : engines) {
      if (!engine.drain(Duration.ofNanos(Math.max(0, end - System.nanoTime())))) {
        LOG.warnf("Answers of model \"%s\" were not finished within %s and are cancelled.", engine.model().name(), config.gracePeriod());
      }
    }
    Duration left = Duration.ofNanos(Math.max(0, end - System.nanoTime()));
    calls.awaitNone(left.compareTo(LAST_WORDS) < 0 ? LAST_WORDS : left);
  }

  void stop(@Observes @Priority(1) ShutdownEvent event) {
    leave();
    engines.forEach(Engine::close);
  }

  private void leave() {
    synchronized (this) {
      if (stopping) {
        return;
      }
      stopping = true;
    }
    announce();
  }

  private void announce() {
    changes.fire(new ServingState(ready(), engines.stream().map(engine -> engine.model().name()).toList()));
  }
}
