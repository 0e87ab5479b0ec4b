package dev.nibble.serve.health;

import dev.nibble.engine.Engine;
import dev.nibble.serve.ServedModels;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;
import org.eclipse.microprofile.health.Liveness;

/** Down if an engine's thread has ended while the service is not stopping: only a restart helps then. */
@Liveness
@Singleton
public final class LivenessCheck implements HealthCheck {
  private final ServedModels models;

  @Inject
  LivenessCheck(ServedModels models) {
    this.models = models;
  }

  @Override
  public HealthCheckResponse call() {
    HealthCheckResponseBuilder response = HealthCheckResponse.named("engine");
    boolean alive = true;
    for (Engine engine : models.all()) {
      alive &= engine.alive();
      response.withData(engine.model().name(), engine.alive() ? "running" : "ended");
    }
    return response.status(alive || models.stopping()).build();
  }
}
