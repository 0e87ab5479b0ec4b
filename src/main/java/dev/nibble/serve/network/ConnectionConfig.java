package dev.nibble.serve.network;

import dev.nibble.serve.api.Settings;
import io.quarkus.runtime.configuration.MemorySize;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.time.Duration;
import org.eclipse.microprofile.config.Config;

/** What whoever reaches the two ports may do before anybody asks for a key: the values of {@link Settings}, where each is explained. */
public record ConnectionConfig(
    int max, int maxPerAddress, int maxRequestsPerConnection, int maxRequests, Duration headTimeout, Duration idleTimeout, Duration readTimeout, int maxResets,
    MemorySize maxUnfinished, int maxHealthWatches) {
  /** How many times as long as a head a body, or a message, may take. */
  private static final int MESSAGES = 6;

  /** How long a message may take to arrive whole, and what is left of a request that was answered before its end. */
  public Duration messageTimeout() {
    return headTimeout.multipliedBy(MESSAGES);
  }

  /** Gives the settings to whoever is injected with them. */
  @Singleton
  static final class Producer {
    @Produces
    @Singleton
    ConnectionConfig read(Config config) {
      return new ConnectionConfig(Settings.MAX_CONNECTIONS.in(config), Settings.MAX_PER_ADDRESS.in(config), Settings.MAX_REQUESTS_PER_CONNECTION.in(config),
          Settings.MAX_REQUESTS.in(config), Settings.HEAD_TIMEOUT.in(config), Settings.IDLE_TIMEOUT.in(config), Settings.READ_TIMEOUT.in(config),
          Settings.MAX_RESETS.in(config), Settings.MAX_UNFINISHED.in(config), Settings.MAX_HEALTH_WATCHES.in(config));
    }
  }
}
