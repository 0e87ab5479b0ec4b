package dev.nibble.serve.auth;

import dev.nibble.serve.api.AccessError;
import dev.nibble.serve.api.ServeConfig;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.quarkus.runtime.StartupEvent;
import jakarta.annotation.PreDestroy;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/**
 * Says who is let in. Without a key file: everybody. With one: calls that bring one of its keys, for what the key's scopes allow.
 *
 * <p>The file is read again every {@code nibble.auth.reload-interval} and compared by its content: that sees every way to change it, also the
 * swapped symbolic links of a mounted Secret, and reading a few kilobytes costs less than a call. A file that can't be used changes nothing: the
 * keys read before stay good until one can. No key is ever logged, nor anything that a caller sent in its place.
 */
@Singleton
public final class Access {
  private static final Logger LOG = Logger.getLogger(Access.class);
  private static final String BEARER = "Bearer ";

  /** A wire that calls come by; a label. */
  public enum Wire {
    REST, GRPC
  }

  /** Keys with their hashes' bytes beside them. */
  private record Ring(String text, List<ApiKey> keys, byte[][] hashes) {
    static Ring of(KeyFile file) {
      return new Ring(file.text(), file.keys(), file.keys().stream().map(ApiKey::hashBytes).toArray(byte[][]::new));
    }

    /** Compares with every key, each in constant time: how long it takes tells nothing of which bytes were right. */
    Optional<ApiKey> find(byte[] hash) {
      ApiKey found = null;
      for (int i = 0; i < hashes.length; i++) {
        if (MessageDigest.isEqual(hashes[i], hash)) {
          found = keys.get(i);
        }
      }
      return Optional.ofNullable(found);
    }
  }

  private final Optional<Path> file;
  private final long intervalMillis;
  private final Map<Wire, Map<AccessError, Counter>> rejected = new EnumMap<>(Wire.class);
  private final Counter reloadFailures;
  private final ScheduledExecutorService reader =
      Executors.newSingleThreadScheduledExecutor(task -> Thread.ofPlatform().name("nibble-keys").daemon(true).unstarted(task));

  private volatile Ring ring; // null: no key file, everybody is let in
  private volatile String failure = ""; // why the file as it is now can't be used; empty if it can

  /** @throws IllegalStateException if there is a key file and it can't be used: the service must not start open */
  @Inject
  Access(ServeConfig config, MeterRegistry registry) {
    file = config.auth().keysFile().map(Path::of);
    intervalMillis = Math.max(1, config.auth().reloadInterval().toMillis());
    for (Wire wire : Wire.values()) {
      Map<AccessError, Counter> reasons = new EnumMap<>(AccessError.class);
      for (AccessError reason : AccessError.values()) {
        Tags tags = Tags.of("wire", wire.name().toLowerCase(Locale.ROOT), "reason", label(reason));
        reasons.put(reason, Counter.builder("nibble.auth.rejected").description("Calls that were not let in, by why.").tags(tags).register(registry));
      }
      rejected.put(wire, reasons);
    }
    reloadFailures = Counter.builder("nibble.auth.keys.reload.failures").description("Looks at a key file that could not be used.").register(registry);
    Gauge.builder("nibble.auth.keys", this, access -> access.ring == null ? 0 : access.ring.keys().size())
        .description("Keys that are let in; 0 also where no key is needed.").register(registry);
    if (file.isPresent()) {
      try {
        ring = Ring.of(KeyFile.read(file.get()));
      } catch (InvalidKeyFileException unusable) {
        throw new IllegalStateException("nibble.auth.keys-file: " + unusable.getMessage());
      }
    }
  }

  private static String label(AccessError reason) {
    return switch (reason) {
      case API_KEY_MISSING -> "missing";
      case API_KEY_INVALID -> "invalid";
      case API_KEY_EXPIRED -> "expired";
      case API_KEY_SCOPE -> "scope";
    };
  }

  void start(@Observes StartupEvent event) {
    if (file.isEmpty()) {
      LOG.info("No key file is configured: whoever reaches the ports may use the service.");
      return;
    }
    tell(ring);
    reader.scheduleWithFixedDelay(this::look, intervalMillis, intervalMillis, TimeUnit.MILLISECONDS);
  }

  @PreDestroy
  void stop() {
    reader.shutdownNow();
  }

  private void tell(Ring keys) {
    if (keys.keys().isEmpty()) {
      LOG.warnf("%s has no keys: nobody is let in.", file.get());
    } else {
      LOG.infof("Keys that are let in: %d, of %s.", keys.keys().size(), file.get());
    }
  }

  /** Takes over what is in the file now, or keeps what was. */
  void look() {
    try {
      String text = KeyFile.text(file.get());
      if (!text.equals(ring.text())) {
        Ring read = Ring.of(KeyFile.parse(file.get(), text));
        ring = read;
        tell(read);
      } else if (!failure.isEmpty()) {
        LOG.infof("%s is again as it was last read.", file.get());
      }
      failure = "";
    } catch (InvalidKeyFileException | RuntimeException unusable) {
      reloadFailures.increment();
      String reason = String.valueOf(unusable.getMessage());
      if (!reason.equals(failure)) {
        LOG.errorf("The key file can't be used, and the keys read before stay good: %s", reason);
      }
      failure = reason;
    }
  }

  /** Whether calls need a key. */
  public boolean on() {
    return ring != null;
  }

  /** In a few words how keys stand, for health reports, which anybody may read. */
  public String summary() {
    Ring keys = ring;
    if (keys == null) {
      return "off";
    }
    return keys.keys().size() + (failure.isEmpty() ? " loaded" : " loaded, and the file as it is now can't be used");
  }

  /**
   * Lets a call in, or does not.
   *
   * @param authorizationOrNull the call's header or metadata {@code authorization}, which should be {@code Bearer KEY}
   * @param needed what the key must be good for; empty: any key will do
   * @throws AccessException if the call is not let in; it is counted
   */
  public void require(Wire wire, String authorizationOrNull, Optional<Scope> needed) {
    Ring keys = ring;
    if (keys == null) {
      return;
    }
    if (authorizationOrNull == null || !authorizationOrNull.regionMatches(true, 0, BEARER, 0, BEARER.length())) {
      throw refuse(wire, AccessError.API_KEY_MISSING, "An API key is needed; send it as \"Authorization: Bearer KEY\".", needed);
    }
    ApiKey key = keys.find(ApiKey.hash(authorizationOrNull.substring(BEARER.length()).strip()))
        .orElseThrow(() -> refuse(wire, AccessError.API_KEY_INVALID, "The API key is not one of those that are let in here.", needed));
    if (key.expired(LocalDate.now(ZoneOffset.UTC))) {
      throw refuse(wire, AccessError.API_KEY_EXPIRED, "The API key expired on " + key.expires().orElseThrow() + ".", needed);
    }
    if (needed.isPresent() && !key.scopes().contains(needed.get())) {
      throw refuse(wire, AccessError.API_KEY_SCOPE,
          "The API key is good for " + ApiKey.words(key.scopes()) + ", and this needs " + needed.get().word() + ".", needed);
    }
  }

  private AccessException refuse(Wire wire, AccessError error, String message, Optional<Scope> needed) {
    rejected.get(wire).get(error).increment();
    return new AccessException(error, message, needed);
  }
}
