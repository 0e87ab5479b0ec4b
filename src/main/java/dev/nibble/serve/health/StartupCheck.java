package dev.nibble.serve.health;

import dev.nibble.serve.api.ServedModels;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Startup;

/** Up once loading is over. */
@Startup
@Singleton
public final class StartupCheck implements HealthCheck {
  private final ServedModels models;

  @Inject
  StartupCheck(ServedModels models) {
    this.models = models;
  }

  @Override
  public HealthCheckResponse call() {
    return HealthCheckResponse.named("model loaded").status(!models.all().isEmpty()).build();
  }
}
