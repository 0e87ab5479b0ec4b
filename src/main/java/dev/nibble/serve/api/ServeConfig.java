package dev.nibble.serve.api;

import dev.nibble.engine.OffloadPolicy;
import dev.nibble.offload.OffloadSettings;
import io.quarkus.runtime.configuration.MemorySize;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.eclipse.microprofile.config.Config;

/** How Nibble serves: the values of {@link Settings}, where each is explained. */
public record ServeConfig(
    Optional<String> model, Optional<String> packCache, Optional<String> modelName, OptionalInt threads, int queueCapacity, int defaultMaxTokens,
    boolean strictMaxTokens, String specialTokens, Duration gracePeriod, Prepare prepare, Auth auth, Ready ready, Live live, Kv kv, Offload offload) {

  /** Reading requests, and turning their prompts into tokens. */
  public record Prepare(Duration timeout, Optional<MemorySize> memory) {}

  /** API keys. */
  public record Auth(Optional<String> keysFile, Duration reloadInterval) {}

  /** Readiness. */
  public record Ready(OptionalInt queueLimit, Duration canaryInterval, Duration canaryTimeout) {}

  /** Liveness. */
  public record Live(Duration stall) {}

  /** How keys and values of past tokens are kept. */
  public record Kv(Optional<String> keys, Optional<String> values, int residual, boolean rotate, Optional<String> memory) {}

  /** Which accelerators there are, and how to deal with them. */
  public record Offload(Optional<List<String>> targets, boolean serve, OffloadSettings settings) {}

  /** Reads the settings. @throws IllegalArgumentException one line about the first that can't be used */
  public static ServeConfig of(Config config) {
    return new ServeConfig(Settings.MODEL.given(config), Settings.PACK_CACHE.given(config), Settings.MODEL_NAME.given(config),
        integer(Settings.THREADS.given(config)),
        Settings.QUEUE_CAPACITY.in(config), Settings.DEFAULT_MAX_TOKENS.in(config), Settings.STRICT_MAX_TOKENS.in(config), Settings.SPECIAL_TOKENS.in(config),
        Settings.GRACE_PERIOD.in(config),
        new Prepare(Settings.PREPARE_TIMEOUT.in(config), Settings.PREPARE_MEMORY.given(config)),
        new Auth(Settings.KEYS_FILE.given(config), Settings.KEYS_RELOAD.in(config)),
        new Ready(integer(Settings.READY_QUEUE_LIMIT.given(config)), Settings.CANARY_INTERVAL.in(config), Settings.CANARY_TIMEOUT.in(config)),
        new Live(Settings.LIVE_STALL.in(config)),
        new Kv(Settings.KV_KEYS.given(config), Settings.KV_VALUES.given(config), Settings.KV_RESIDUAL.in(config),
            Settings.KV_ROTATE.in(config), Settings.KV_MEMORY.given(config)),
        new Offload(Settings.OFFLOAD_TARGETS.given(config), Settings.OFFLOAD_SERVE.in(config), offload(config)));
  }

  /** How accelerators are dealt with. @throws IllegalArgumentException one line about the first setting that can't be used */
  public static OffloadSettings offload(Config config) {
    Optional<OffloadSettings.Tls> tls = path(Settings.OFFLOAD_TRUST.given(config))
        .map(trust -> new OffloadSettings.Tls(trust, path(Settings.OFFLOAD_CERTIFICATE.given(config)), path(Settings.OFFLOAD_KEY.given(config))));
    Optional<Double> watts = Settings.OFFLOAD_POWER_BUDGET.given(config);
    return new OffloadSettings(Settings.OFFLOAD_TARGETS.given(config).orElse(List.of()).stream().map(OffloadSettings.Target::of).toList(),
        OffloadPolicy.of(Settings.OFFLOAD_POLICY.in(config)).orElseThrow(), tls, Settings.OFFLOAD_CONNECT_TIMEOUT.in(config),
        Settings.OFFLOAD_HEDGE_DELAY.in(config), Settings.OFFLOAD_STALL_TIMEOUT.in(config), Settings.OFFLOAD_TOKEN_TIMEOUT.in(config), Settings.OFFLOAD_PROBE_INTERVAL.in(config),
        watts.map(OptionalDouble::of).orElse(OptionalDouble.empty()), path(Settings.OFFLOAD_KEY_FILE.given(config)));
  }

  private static Optional<Path> path(Optional<String> name) {
    return name.map(Path::of);
  }

  private static OptionalInt integer(Optional<Integer> value) {
    return value.map(OptionalInt::of).orElse(OptionalInt.empty());
  }

  /** Gives the settings to whoever is injected with them. */
  @Singleton
  static final class Producer {
    @Produces
    @Singleton
    ServeConfig read(Config config) {
      return of(config);
    }
  }
}
