package dev.nibble.serve.health;

import dev.nibble.engine.Engine;
import dev.nibble.serve.api.Admission;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.serve.auth.Access;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;
import org.eclipse.microprofile.health.Readiness;

/** Up while requests should be sent here, as {@link ReadinessJudge} says; tells also how keys stand, which is no reason to leave. */
@Readiness
@Singleton
public final class ReadinessCheck implements HealthCheck {
  private final ServedModels models;
  private final Admission admission;
  private final ReadinessJudge judge;
  private final Access access;

  @Inject
  ReadinessCheck(ServedModels models, Admission admission, ReadinessJudge judge, Access access) {
    this.models = models;
    this.admission = admission;
    this.judge = judge;
    this.access = access;
  }

  @Override
  public HealthCheckResponse call() {
    ReadinessVerdict verdict = judge.judge();
    HealthCheckResponseBuilder response = HealthCheckResponse.named("model").status(verdict.ready()).withData("keys", access.summary());
    if (!verdict.ready()) {
      response.withData("reason", verdict.reason());
    }
    for (Engine engine : models.all()) {
      response.withData("model", engine.model().name()).withData("queue_depth", admission.waiting(engine)).withData("running", engine.running());
    }
    return response.build();
  }
}
