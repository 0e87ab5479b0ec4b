package dev.nibble.serve.metrics;

import dev.nibble.energy.EnergyMeter;
import dev.nibble.energy.EnergySources;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.StartupEvent;
import jakarta.annotation.PreDestroy;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.Optional;
import org.jboss.logging.Logger;

/** The energy that the machine uses, as a metric, where something measures it; see {@code docs/energy.md}. */
@Singleton
public final class EnergyMetrics {
  private static final Logger LOG = Logger.getLogger(EnergyMetrics.class);

  private final MeterRegistry registry;
  private Optional<EnergyMeter> meter = Optional.empty(); // held: the registry's reference is a weak one

  @Inject
  EnergyMetrics(MeterRegistry registry) {
    this.registry = registry;
  }

  void start(@Observes StartupEvent event) {
    publish(EnergySources.detect());
  }

  /** Registers what was found, and says so once. */
  void publish(EnergySources.Detection detection) {
    switch (detection) {
      case EnergySources.Detection.Found found -> {
        EnergyMeter started = EnergyMeter.start(found.source(),
            problem -> LOG.warnf("Energy is not counted until its source can be read again: %s.", problem));
        meter = Optional.of(started);
        FunctionCounter.builder("nibble.energy.joules", started, EnergyMeter::joules).description("Energy that the machine used since the service was started.")
            .tag("source", found.source().name()).register(registry);
        info(found.source().name(), found.source().measures());
        LOG.infof("Energy is measured by %s: %s.", found.source().name(), found.source().measures());
      }
      case EnergySources.Detection.None none -> {
        info("none", none.reason());
        LOG.infof("Energy is not measured: %s.", none.reason());
      }
    }
  }

  private void info(String source, String detail) {
    Gauge.builder("nibble.energy.info", () -> 1).description("What measures energy, or why nothing does.").tags("source", source, "detail", detail).register(registry);
  }

  @PreDestroy
  void close() {
    meter.ifPresent(EnergyMeter::close);
  }
}
