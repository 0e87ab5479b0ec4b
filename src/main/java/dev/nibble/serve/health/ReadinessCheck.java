package dev.nibble.serve.health;

import dev.nibble.engine.Engine;
import dev.nibble.serve.ServedModels;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;
import org.eclipse.microprofile.health.Readiness;

/** Up while requests are answered here: the model is loaded, and the service is not stopping. A full queue is not a reason to leave. */
@Readiness
@Singleton
public final class ReadinessCheck implements HealthCheck {
  private final ServedModels models;

  @Inject
  ReadinessCheck(ServedModels models) {
    this.models = models;
  }

  @Override
  public HealthCheckResponse call() {
    boolean ready = models.ready();
    HealthCheckResponseBuilder response = HealthCheckResponse.named("model").status(ready);
    if (!ready) {
      response.withData("reason", models.stopping() ? "stopping" : "loading");
    }
    for (Engine engine : models.all()) {
      response.withData("model", engine.model().name()).withData("queue_depth", engine.queueDepth()).withData("running", engine.running());
    }
    return response.build();
  }
}
