package dev.nibble.serve.metrics;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineObserver;
import dev.nibble.engine.GenerationResult;
import dev.nibble.engine.ModelInfo;
import dev.nibble.serve.api.Admission;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.DoubleStream;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/**
 * What engines do, as metrics: OpenTelemetry's names for generative AI where there is one, {@code nibble.…} for the rest. Labels are
 * the model's name and words of closed sets, so their number does not grow with requests. {@code docs/observability.md} lists them.
 */
@Singleton
public final class EngineMetrics {
  /** The label of the model's name, OpenTelemetry's {@code gen_ai.request.model}. */
  private static final String MODEL = "gen_ai_request_model";

  // Upper bounds of buckets in seconds: those that OpenTelemetry's semantic conventions advise, with finer ones below, since
  // small models on fast machines answer in less.
  private static final double[] DURATION = {0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84};
  private static final double[] FIRST_TOKEN =
      {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60};
  private static final double[] OUTPUT_TOKEN =
      {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5};
  private static final double[] WAIT = {0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120};

  private final MeterRegistry registry;
  private final Admission admission;

  @Inject
  EngineMetrics(MeterRegistry registry, Admission admission, @ConfigProperty(name = "quarkus.application.version") String version) {
    this.registry = registry;
    this.admission = admission;
    boolean compiled = System.getProperty("org.graalvm.nativeimage.imagecode") != null;
    info("nibble.build.info", "Which build this is.", Tags.of("version", version, "runtime", compiled ? "native" : "jvm", "java", System.getProperty("java.version")));
  }

  /** An observer that counts and times one model's requests. */
  public EngineObserver observe(ModelInfo model) {
    return new Observer(Tags.of(MODEL, model.name()));
  }

  /**
   * Publishes what can be asked of an engine at any time, and what was loaded.
   *
   * @param kernels which code multiplies matrices
   * @param vectorBits bits of its vectors; 0 where none are in use
   * @param threads that compute
   */
  public void publish(Engine engine, String kernels, int vectorBits, int threads) {
    ModelInfo model = engine.model();
    Tags tags = Tags.of(MODEL, model.name());
    Gauge.builder("nibble.queue.depth", engine, admission::waiting).description("Requests waiting for their turn, those being prepared included.").tags(tags).register(registry);
    Gauge.builder("nibble.requests.running", engine, Engine::running).description("Requests being computed.").tags(tags).register(registry);
    Gauge.builder("nibble.kv.cache.usage.ratio", engine, Engine::cacheUsage)
        .description("Fraction of the memory for keys and values that requests hold.").tags(tags).register(registry);
    FunctionCounter.builder("nibble.engine.forward.passes", engine, Engine::forwardPasses)
        .description("Forward passes: one for a chunk of prompt, one for each further token.").tags(tags).register(registry);
    info("nibble.model.info", "Which model is served.",
        tags.and("architecture", model.architecture(), "parameters", Long.toString(model.parameters()), "context_length", Integer.toString(model.contextLength()),
            "bits_per_weight", String.format(Locale.ROOT, "%.2f", model.bitsPerWeight())));
    info("nibble.kernel.info", "Which code multiplies matrices; vector_bits is 0 where it does without vectors.",
        tags.and("mode", kernels, "vector_bits", Integer.toString(vectorBits), "threads", Integer.toString(threads)));
  }

  /** Publishes what code there is for products. @param reasons why each does not compute; empty for that which does */
  public void publishKernels(ModelInfo model, Map<String, String> reasons) {
    reasons.forEach((provider, reason) -> info("nibble.kernel.provider.info", "Code that there is for products; whether it computes, and why not.",
        Tags.of(MODEL, model.name(), "provider", provider, "taken", Boolean.toString(reason.isEmpty()), "reason", reason)));
  }

  /** A metric that is always 1: its labels are what it tells. */
  private void info(String name, String description, Tags tags) {
    Gauge.builder(name, () -> 1).description(description).tags(tags).register(registry);
  }

  private Timer histogram(String name, String description, double[] bounds, Tags tags) {
    Duration[] buckets = DoubleStream.of(bounds).mapToObj(seconds -> Duration.ofNanos(Math.round(seconds * 1e9))).toArray(Duration[]::new);
    return Timer.builder(name).description(description).tags(tags).serviceLevelObjectives(buckets).register(registry);
  }

  private Counter counter(String name, String description, Tags tags) {
    return Counter.builder(name).description(description).tags(tags).register(registry);
  }

  /** Meters of one model, all registered from the start, so that a counter begins at 0 and not with its first increment. */
  private final class Observer implements EngineObserver {
    private final Timer queueWait;
    private final Timer firstToken;
    private final Timer outputToken;
    private final Timer duration;
    private final Counter promptTokens;
    private final Counter completionTokens;
    private final Map<Outcome, Counter> outcomes = new EnumMap<>(Outcome.class);
    private final Map<EngineError, Counter> refusals = new EnumMap<>(EngineError.class);

    Observer(Tags tags) {
      queueWait = histogram("nibble.queue.wait", "Time that requests waited for their turn.", WAIT, tags);
      firstToken = histogram("gen_ai.server.time_to_first_token", "Time from a request's arrival to its first token.", FIRST_TOKEN, tags);
      outputToken = histogram("gen_ai.server.time_per_output_token", "Time from one token to the next.", OUTPUT_TOKEN, tags);
      duration = histogram("gen_ai.server.request.duration", "Time from a request's arrival to its end, however it ended.", DURATION, tags);
      promptTokens = counter("nibble.prompt.tokens", "Tokens in prompts of requests that ended.", tags);
      completionTokens = counter("nibble.completion.tokens", "Tokens of answers that ended.", tags);
      for (Outcome outcome : Outcome.values()) {
        outcomes.put(outcome, counter("nibble.requests", "Accepted requests that ended, by how.", tags.and(word("outcome", outcome))));
      }
      for (EngineError reason : EngineError.values()) {
        if (refuses(reason)) {
          refusals.put(reason, counter("nibble.requests.refused", "Requests that were not accepted, by why.", tags.and(word("reason", reason))));
        }
      }
    }

    private static Tag word(String label, Enum<?> value) {
      return Tag.of(label, value.name().toLowerCase(Locale.ROOT));
    }

    /** Whether an engine refuses requests for this reason; others end requests, or are found before an engine is. */
    private static boolean refuses(EngineError reason) {
      return switch (reason) {
        case INVALID_REQUEST, CHAT_UNSUPPORTED, CONTEXT_LENGTH_EXCEEDED, KV_MEMORY_EXCEEDED, QUEUE_FULL, SHUTTING_DOWN, ACCELERATOR_UNAVAILABLE,
            DEADLINE_EXCEEDED -> true;
        case MODEL_NOT_FOUND, MODEL_LOADING, CANCELLED, INTERNAL -> false;
      };
    }

    @Override
    public void refused(EngineError reason) {
      if (refuses(reason)) {
        refusals.get(reason).increment();
      }
    }

    @Override
    public void started(double queueSeconds) {
      record(queueWait, queueSeconds);
    }

    @Override
    public void firstToken(double seconds) {
      record(firstToken, seconds);
    }

    @Override
    public void token(double seconds) {
      record(outputToken, seconds);
    }

    @Override
    public void finished(Outcome outcome, GenerationResult result) {
      duration.record(result.queueNanos() + result.prefillNanos() + result.decodeNanos(), TimeUnit.NANOSECONDS);
      promptTokens.increment(result.promptTokens());
      completionTokens.increment(result.completionTokens());
      outcomes.get(outcome).increment();
    }

    private static void record(Timer timer, double seconds) {
      timer.record(Math.round(seconds * 1e9), TimeUnit.NANOSECONDS);
    }
  }
}
