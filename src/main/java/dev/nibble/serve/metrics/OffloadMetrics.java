package dev.nibble.serve.metrics;

import dev.nibble.engine.OffloadPolicy;
import dev.nibble.offload.AcceleratorState;
import dev.nibble.offload.AcceleratorStatus;
import dev.nibble.offload.FailureCause;
import dev.nibble.offload.OffloadObserver;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** What becomes of offloading, as metrics. Labels are accelerators' addresses from the settings and words of closed sets. */
@Singleton
public final class OffloadMetrics implements OffloadObserver {
  private static final String ACCELERATOR = "accelerator";

  private final MeterRegistry registry;
  private final MultiGauge info;
  private final MultiGauge up;
  private final MultiGauge gpuMissing;
  private final MultiGauge queue;
  private final MultiGauge power;
  private final MultiGauge temperature;

  @Inject
  OffloadMetrics(MeterRegistry registry) {
    this.registry = registry;
    info = gauge("nibble.offload.accelerator.info", "Which accelerators there are, and how they are.");
    up = gauge("nibble.offload.accelerator.up", "1 if it takes requests.");
    gpuMissing = gauge("nibble.offload.accelerator.gpu.missing", "1 if a GPU was expected there and processor cores compute.");
    queue = gauge("nibble.offload.accelerator.queue.depth", "Answers waiting there, when last looked at.");
    power = gauge("nibble.offload.accelerator.power.watts", "Power drawn there, when last looked at.");
    temperature = gauge("nibble.offload.accelerator.temperature.celsius", "Temperature there, when last looked at.");
  }

  private MultiGauge gauge(String name, String description) {
    return MultiGauge.builder(name).description(description).register(registry);
  }

  private Counter counter(String name, String description, Tags tags) {
    return Counter.builder(name).description(description).tags(tags).register(registry);
  }

  private static String word(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  @Override
  public void decided(OffloadPolicy policy, boolean accelerator) {
    counter("nibble.offload.decisions", "Requests that an accelerator could have had, by policy and where they went.",
        Tags.of("policy", word(policy), "where", accelerator ? ACCELERATOR : "here")).increment();
  }

  @Override
  public void answered(String accelerator, int tokens) {
    Tags tags = Tags.of(ACCELERATOR, accelerator);
    counter("nibble.offload.answers", "Answers that accelerators finished.", tags).increment();
    counter("nibble.offload.tokens", "Tokens of answers that accelerators finished.", tags).increment(tokens);
  }

  @Override
  public void failed(String accelerator, FailureCause cause, boolean inAnswer) {
    counter("nibble.offload.failures", "Answers that accelerators did not finish; in_answer if tokens had come, and the rest was computed elsewhere.",
        Tags.of(ACCELERATOR, accelerator, "cause", word(cause), "in_answer", Boolean.toString(inAnswer))).increment();
  }

  @Override
  public void looked(List<AcceleratorStatus> accelerators) {
    info.register(accelerators.stream().<MultiGauge.Row<?>>map(status ->
        MultiGauge.Row.of(tags(status).and("state", word(status.state()), "device", status.device(), "gpu", Boolean.toString(status.gpu()), "exact", Boolean.toString(status.exact())), 1))
        .toList(), true);
    rows(up, accelerators, status -> status.state() == AcceleratorState.READY || status.state() == AcceleratorState.DEGRADED ? 1 : 0);
    rows(gpuMissing, accelerators, status -> status.state() == AcceleratorState.DEGRADED ? 1 : 0);
    rows(queue, accelerators, AcceleratorStatus::queued);
    rows(power, accelerators.stream().filter(status -> status.powerWatts().isPresent()).toList(), status -> status.powerWatts().getAsDouble());
    rows(temperature, accelerators.stream().filter(status -> status.temperatureCelsius().isPresent()).toList(), status -> status.temperatureCelsius().getAsDouble());
  }

  private static void rows(MultiGauge gauge, List<AcceleratorStatus> accelerators, ToDoubleFunction<AcceleratorStatus> value) {
    gauge.register(accelerators.stream().<MultiGauge.Row<?>>map(status -> MultiGauge.Row.of(tags(status), value.applyAsDouble(status))).toList(), true);
  }

  private static Tags tags(AcceleratorStatus status) {
    return Tags.of(ACCELERATOR, status.name());
  }
}
