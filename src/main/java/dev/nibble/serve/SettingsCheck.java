package dev.nibble.serve;

import dev.nibble.engine.OffloadPolicy;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.offload.OffloadSettings;
import dev.nibble.serve.auth.InvalidKeyFileException;
import dev.nibble.serve.auth.KeyFile;
import io.quarkus.runtime.configuration.MemorySize;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.eclipse.microprofile.config.Config;

/**
 * Finds settings that can't be used. To be asked before the framework starts, which would tell of the first one in words of its own;
 * the service asks again when it loads its model.
 */
public final class SettingsCheck {
  private static final int MOST_THREADS = 1024; // beyond any gateway; keeps typing errors from starting a million threads
  private static final long MIN_UNFINISHED = 4L << 20; // what one gRPC message may have
  private static final String RESIDUALS = "0 to " + KvCacheOptions.MOST_RESIDUAL;

  private SettingsCheck() {}

  /** Checks all {@code nibble.*} settings. @throws IllegalArgumentException one line that names the setting, its value, and what is allowed */
  public static void require(Config config) {
    EmptySettings.require(config);
    TlsSettings.require(config);
    integer(config, "nibble.threads", MOST_THREADS);
    integer(config, "nibble.queue-capacity", Integer.MAX_VALUE);
    integer(config, "nibble.default-max-tokens", Integer.MAX_VALUE);
    flag(config, "nibble.strict-max-tokens");
    value(config, "nibble.special-tokens", String.class, SpecialTokens.WORDS).filter(word -> SpecialTokens.of(word).isEmpty()).ifPresent(other -> {
      throw refuse(config, "nibble.special-tokens", SpecialTokens.WORDS);
    });
    duration(config, "nibble.grace-period", false, "a time such as 20s or 2m");
    duration(config, "nibble.prepare.timeout", true, "a time such as 10s or 1m, above 0");
    keys(config);
    value(config, "nibble.ready.queue-limit", Integer.class, "an integer, 1 or more, or 0 for none")
        .filter(limit -> limit < 0)
        .ifPresent(negative -> {
          throw refuse(config, "nibble.ready.queue-limit", "an integer, 1 or more, or 0 for none");
        });
    duration(config, "nibble.ready.canary-interval", false, "a time such as 30s or 5m, or 0 for never");
    duration(config, "nibble.ready.canary-timeout", true, "a time such as 60s or 2m, above 0");
    duration(config, "nibble.live.stall", false, "a time such as 120s or 5m, or 0 for any");
    size(config, "nibble.rest.max-body-size", "a size such as 500K or 4M, from 1 byte", 1);
    long largestBody = config.getOptionalValue("nibble.rest.max-body-size", MemorySize.class).map(MemorySize::asLongValue).orElse(4L << 20);
    size(config, "nibble.prepare.memory", "a size such as 32M, at least twice nibble.rest.max-body-size", Admission.BODIES * largestBody);
    duration(config, "nibble.rest.body-timeout", true, "a time such as 10s or 1m, above 0");
    duration(config, "nibble.rest.stream-comment-interval", false, "a time such as 10s, or 0 for none");
    cacheFormat(config, "nibble.kv.keys");
    cacheFormat(config, "nibble.kv.values");
    value(config, "nibble.kv.residual", Integer.class, RESIDUALS)
        .filter(tokens -> !KvCacheOptions.isResidual(tokens))
        .ifPresent(outside -> {
          throw refuse(config, "nibble.kv.residual", RESIDUALS);
        });
    value(config, "nibble.kv.memory", String.class, KvCacheOptions.MEMORY)
        .filter(size -> KvCacheOptions.memory(size).isEmpty())
        .ifPresent(other -> {
          throw refuse(config, "nibble.kv.memory", KvCacheOptions.MEMORY);
        });
    flag(config, "nibble.kv.rotate");
    connections(config);
    offload(config);
  }

  private static void connections(Config config) {
    for (String count : List.of("max", "max-per-address", "max-requests-per-connection", "max-requests", "max-resets", "max-health-watches")) {
      integer(config, "nibble.connections." + count, Integer.MAX_VALUE);
    }
    for (String time : List.of("head-timeout", "idle-timeout", "read-timeout")) {
      duration(config, "nibble.connections." + time, true, "a time such as 10s or 5m, above 0");
    }
    String unfinished = "nibble.connections.max-unfinished";
    value(config, unfinished, MemorySize.class, "a size such as 16M, from 4M").filter(size -> size.asLongValue() < MIN_UNFINISHED).ifPresent(less -> {
      throw refuse(config, unfinished, "a size such as 16M, from 4M");
    });
    String hosts = "nibble.rest.allowed-hosts";
    value(config, hosts, String.class, HostNames.FORM).ifPresent(list -> {
      try {
        HostNames.of(List.of(list.split(",")));
      } catch (IllegalArgumentException unreadable) {
        throw refuse(config, hosts, HostNames.FORM);
      }
    });
  }

  private static void offload(Config config) {
    String targets = "nibble.offload.targets";
    value(config, targets, String.class, OffloadSettings.Target.FORM).ifPresent(list -> {
      for (String target : list.split(",")) {
        try {
          OffloadSettings.Target.of(target);
        } catch (IllegalArgumentException unreadable) {
          throw refuse(config, targets, OffloadSettings.Target.FORM + ", several with commas between");
        }
      }
    });
    String policy = "nibble.offload.policy";
    value(config, policy, String.class, OffloadPolicy.WORDS).filter(word -> OffloadPolicy.of(word).isEmpty()).ifPresent(other -> {
      throw refuse(config, policy, OffloadPolicy.WORDS);
    });
    for (String time : List.of("connect-timeout", "hedge-delay", "stall-timeout", "token-timeout", "probe-interval")) {
      String name = "nibble.offload." + time;
      value(config, name, Duration.class, "a time such as 500ms or 3s").filter(duration -> duration.isNegative() || duration.isZero()).ifPresent(none -> {
        throw refuse(config, name, "a time such as 500ms or 3s");
      });
    }
    String budget = "nibble.offload.power-budget";
    value(config, budget, Double.class, "watts, above 0").filter(watts -> !(watts > 0)).ifPresent(none -> {
      throw refuse(config, budget, "watts, above 0");
    });
    value(config, "nibble.offload.key-file", String.class, "a file").filter(path -> !Files.isReadable(Path.of(path))).ifPresent(path -> {
      throw refuse(config, "nibble.offload.key-file", "a file that can be read, of one key");
    });
    String tls = "nibble.offload.tls.";
    for (String file : List.of("trust", "certificate", "key")) {
      value(config, tls + file, String.class, "a PEM file").filter(path -> !Files.isReadable(Path.of(path))).ifPresent(path -> {
        throw refuse(config, tls + file, "a PEM file that can be read");
      });
    }
    boolean certificate = config.getOptionalValue(tls + "certificate", String.class).isPresent();
    if (certificate != config.getOptionalValue(tls + "key", String.class).isPresent()) {
      throw new IllegalArgumentException(tls + "certificate and " + tls + "key go together; set both or neither");
    }
    if (certificate && config.getOptionalValue(tls + "trust", String.class).isEmpty()) {
      throw new IllegalArgumentException(tls + "certificate needs " + tls + "trust: the certificates of those who sign accelerators' certificates");
    }
  }

  private static void size(Config config, String name, String allowed, long least) {
    value(config, name, MemorySize.class, allowed).filter(size -> size.asLongValue() < least).ifPresent(less -> {
      throw refuse(config, name, allowed);
    });
  }

  private static void flag(Config config, String name) {
    value(config, name, String.class, "true, false")
        .filter(word -> !word.equalsIgnoreCase("true") && !word.equalsIgnoreCase("false"))
        .ifPresent(other -> {
          throw refuse(config, name, "true, false");
        });
  }

  private static void duration(Config config, String name, boolean aboveZero, String allowed) {
    value(config, name, Duration.class, allowed)
        .filter(time -> time.isNegative() || aboveZero && time.isZero())
        .ifPresent(outside -> {
          throw refuse(config, name, allowed);
        });
  }

  /** Reads the keys: a service that was told to ask for them must not start without. */
  private static void keys(Config config) {
    duration(config, "nibble.auth.reload-interval", true, "a time such as 5s or 1m, above 0");
    value(config, "nibble.auth.keys-file", String.class, "a file of keys").ifPresent(file -> {
      try {
        KeyFile.read(Path.of(file));
      } catch (InvalidKeyFileException unusable) {
        throw new IllegalArgumentException("nibble.auth.keys-file: " + unusable.getMessage());
      }
    });
  }

  private static void cacheFormat(Config config, String name) {
    value(config, name, String.class, KvCacheOptions.FORMATS)
        .filter(format -> !KvCacheOptions.isFormat(format))
        .ifPresent(other -> {
          throw refuse(config, name, KvCacheOptions.FORMATS);
        });
  }

  private static void integer(Config config, String name, int most) {
    String allowed = most == Integer.MAX_VALUE ? "an integer, 1 or more" : "1 to " + most;
    value(config, name, Integer.class, allowed)
        .filter(value -> value < 1 || value > most)
        .ifPresent(outside -> {
          throw refuse(config, name, allowed);
        });
  }

  private static <T> Optional<T> value(Config config, String name, Class<T> type, String allowed) {
    try {
      return config.getOptionalValue(name, type);
    } catch (IllegalArgumentException unreadable) {
      throw refuse(config, name, allowed);
    }
  }

  private static IllegalArgumentException refuse(Config config, String name, String allowed) {
    return new IllegalArgumentException(name + " is \"" + config.getConfigValue(name).getValue() + "\"; allowed: " + allowed);
  }
}
