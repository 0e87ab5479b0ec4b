package dev.nibble.serve;

import dev.nibble.model.kvcache.KvCacheOptions;
import io.quarkus.runtime.configuration.MemorySize;
import java.time.Duration;
import java.util.Optional;
import org.eclipse.microprofile.config.Config;

/**
 * Finds settings that can't be used. To be asked before the framework starts, which would tell of the first one in words of its own;
 * the service asks again when it loads its model.
 */
public final class SettingsCheck {
  private static final int MOST_THREADS = 1024; // beyond any gateway; keeps typing errors from starting a million threads
  private static final String RESIDUALS = "0 to " + KvCacheOptions.MOST_RESIDUAL;

  private SettingsCheck() {}

  /** Checks all {@code nibble.*} settings. @throws IllegalArgumentException one line that names the setting, its value, and what is allowed */
  public static void require(Config config) {
    integer(config, "nibble.threads", MOST_THREADS);
    integer(config, "nibble.queue-capacity", Integer.MAX_VALUE);
    integer(config, "nibble.default-max-tokens", Integer.MAX_VALUE);
    value(config, "nibble.grace-period", Duration.class, "a time such as 20s or 2m")
        .filter(Duration::isNegative)
        .ifPresent(negative -> {
          throw refuse(config, "nibble.grace-period", "a time such as 20s or 2m");
        });
    value(config, "nibble.rest.max-body-size", MemorySize.class, "a size such as 500K or 4M, from 1 byte")
        .filter(size -> size.asLongValue() < 1)
        .ifPresent(nothing -> {
          throw refuse(config, "nibble.rest.max-body-size", "a size such as 500K or 4M, from 1 byte");
        });
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
    value(config, "nibble.kv.rotate", String.class, "true, false")
        .filter(rotate -> !rotate.equalsIgnoreCase("true") && !rotate.equalsIgnoreCase("false"))
        .ifPresent(other -> {
          throw refuse(config, "nibble.kv.rotate", "true, false");
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
