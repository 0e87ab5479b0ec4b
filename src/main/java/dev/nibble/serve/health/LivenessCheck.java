package dev.nibble.serve.health;

import dev.nibble.engine.Engine;
import dev.nibble.serve.api.ServeConfig;
import dev.nibble.serve.api.ServedModels;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;
import org.eclipse.microprofile.health.Liveness;

/**
 * Down if, while the service is not stopping, an engine's thread has ended, or has computed for longer than {@code nibble.live.stall} without a
 * step: only a restart helps then.
 */
@Liveness
@Singleton
public final class LivenessCheck implements HealthCheck {
  private final ServedModels models;
  private final long stallNanos; // 0: none is too long

  @Inject
  LivenessCheck(ServedModels models, ServeConfig config) {
    this.models = models;
    stallNanos = TimeUnit.NANOSECONDS.convert(config.live().stall());
  }

  @Override
  public HealthCheckResponse call() {
    HealthCheckResponseBuilder response = HealthCheckResponse.named("engine");
    boolean alive = true;
    for (Engine engine : models.all()) {
      long still = engine.nanosSinceStep();
      boolean stalled = stallNanos > 0 && still > stallNanos;
      alive &= engine.alive() && !stalled;
      String state = stalled ? "no step for " + TimeUnit.NANOSECONDS.toSeconds(still) + " s" : "running";
      response.withData(engine.model().name(), engine.alive() ? state : "ended");
    }
    return response.status(alive || models.stopping()).build();
  }
}
