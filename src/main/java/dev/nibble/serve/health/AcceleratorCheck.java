package dev.nibble.serve.health;

import dev.nibble.offload.AcceleratorStatus;
import dev.nibble.offload.OffloadingEngine;
import dev.nibble.serve.api.ServedModels;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;
import org.eclipse.microprofile.health.Readiness;

/** Tells of the accelerators, each in a line. Always up: answers are computed here where they are not there. */
@Readiness
@Singleton
public final class AcceleratorCheck implements HealthCheck {
  private final ServedModels models;

  @Inject
  AcceleratorCheck(ServedModels models) {
    this.models = models;
  }

  @Override
  public HealthCheckResponse call() {
    HealthCheckResponseBuilder response = HealthCheckResponse.named("accelerators").up();
    models.all().stream().filter(OffloadingEngine.class::isInstance).map(OffloadingEngine.class::cast)
        .flatMap(engine -> engine.accelerators().stream())
        .forEach(accelerator -> response.withData(accelerator.name(), line(accelerator)));
    return response.build();
  }

  private static String line(AcceleratorStatus accelerator) {
    return accelerator.line().substring(accelerator.name().length() + 2);
  }
}
