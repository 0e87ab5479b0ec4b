package dev.nibble.serve.metrics;

import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import jakarta.annotation.Priority;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.List;

/**
 * Removes this service's meters when it ends. The registry is the process' own, and gauges hold what they ask: a service that is started in the same process
 * later, as tests do, would go on counting with, and asking, the parts of the one before.
 */
@Singleton
final class MeterCleanup {
  private static final List<String> PREFIXES = List.of("nibble.", "gen_ai.", "http.server.requests");

  private final MeterRegistry registry;

  @Inject
  MeterCleanup(MeterRegistry registry) {
    this.registry = registry;
  }

  /** After all others, whose last words are still counted. */
  void end(@Observes @Priority(Integer.MAX_VALUE) ShutdownEvent event) {
    registry.getMeters().stream().filter(meter -> PREFIXES.stream().anyMatch(meter.getId().getName()::startsWith)).toList().forEach(registry::remove);
  }
}
