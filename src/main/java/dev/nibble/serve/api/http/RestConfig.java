package dev.nibble.serve.api.http;

import dev.nibble.serve.api.Settings;
import io.quarkus.runtime.configuration.MemorySize;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.eclipse.microprofile.config.Config;

/** How the REST APIs serve: the values of {@link Settings}, where each is explained. */
public record RestConfig(MemorySize maxBodySize, Duration bodyTimeout, Duration streamCommentInterval, Optional<List<String>> allowedHosts) {
  /** Gives the settings to whoever is injected with them. */
  @Singleton
  static final class Producer {
    @Produces
    @Singleton
    RestConfig read(Config config) {
      return new RestConfig(Settings.MAX_BODY_SIZE.in(config), Settings.BODY_TIMEOUT.in(config), Settings.STREAM_COMMENT_INTERVAL.in(config),
          Settings.ALLOWED_HOSTS.given(config));
    }
  }
}
