package dev.nibble.offload;

import dev.nibble.engine.OffloadPolicy;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Which accelerators there are, and how to deal with them.
 *
 * @param targets where they listen
 * @param policy for requests that do not say
 * @param tls certificates; empty for plain text
 * @param connectTimeout until an accelerator has to have taken a request, or described itself
 * @param hedgeDelay after this long without being taken, a request is offered to the next accelerator as well
 * @param stallTimeout longest silence in an answer; accelerators tell of progress once a second
 * @param tokenTimeout longest wait for a token, its turn and the prompt included
 * @param probeInterval time between two looks at an accelerator
 * @param powerBudgetWatts an accelerator that draws more gets no request by {@code auto} or {@code prefer}; empty for any power
 * @param keyFile file of the API key for accelerators that ask for one; read anew for each call
 */
public record OffloadSettings(
    List<Target> targets, OffloadPolicy policy, Optional<Tls> tls, Duration connectTimeout, Duration hedgeDelay, Duration stallTimeout, Duration tokenTimeout,
    Duration probeInterval, OptionalDouble powerBudgetWatts, Optional<Path> keyFile) {

  /** Where an accelerator listens: a host's name, whose every address is an accelerator of its own, or an address. */
  public record Target(String host, int port) {
    /** What a target looks like, for messages. */
    public static final String FORM = "HOST:PORT, such as jetson.local:9100 or [fd00::2]:9100";
    private static final int MOST_PORT = 65535;

    /** Reads {@code host:port}. @throws IllegalArgumentException for anything else; the message says what is allowed */
    public static Target of(String text) {
      String stripped = text.strip();
      int colon = stripped.lastIndexOf(':');
      String host = colon < 0 ? "" : stripped.substring(0, colon);
      boolean bracketed = host.startsWith("[") && host.endsWith("]");
      if (bracketed) {
        host = host.substring(1, host.length() - 1);
      }
      try {
        int port = Integer.parseInt(stripped.substring(colon + 1));
        if (port >= 1 && port <= MOST_PORT && !host.isBlank() && host.indexOf('/') < 0 && host.indexOf(' ') < 0 && (bracketed || host.indexOf(':') < 0)) {
          return new Target(host, port);
        }
      } catch (NumberFormatException notAPort) {
        // told below
      }
      throw new IllegalArgumentException("\"" + text + "\" is not an accelerator's address; allowed: " + FORM);
    }

    /** Whether {@link #of} takes this. */
    public static boolean isTarget(String text) {
      try {
        of(text);
        return true;
      } catch (IllegalArgumentException other) {
        return false;
      }
    }

    @Override
    public String toString() {
      return (host.indexOf(':') < 0 ? host : "[" + host + "]") + ":" + port;
    }
  }

  /**
   * Certificates in PEM files, which are read again when they change.
   *
   * @param trust certificates of those who sign accelerators' certificates
   * @param certificate our own, for accelerators that ask for one
   * @param key its private key (PKCS #8)
   */
  public record Tls(Path trust, Optional<Path> certificate, Optional<Path> key) {
    public Tls {
      if (certificate.isPresent() != key.isPresent()) {
        throw new IllegalArgumentException("nibble.offload.tls.certificate and nibble.offload.tls.key go together; set both or neither");
      }
    }
  }

  public OffloadSettings {
    targets = List.copyOf(targets);
  }

  /** Without a key. */
  public OffloadSettings(
      List<Target> targets, OffloadPolicy policy, Optional<Tls> tls, Duration connectTimeout, Duration hedgeDelay, Duration stallTimeout, Duration tokenTimeout,
      Duration probeInterval, OptionalDouble powerBudgetWatts) {
    this(targets, policy, tls, connectTimeout, hedgeDelay, stallTimeout, tokenTimeout, probeInterval, powerBudgetWatts, Optional.empty());
  }

  /** Usual times, for these targets. */
  public static OffloadSettings of(List<Target> targets, OffloadPolicy policy) {
    return new OffloadSettings(targets, policy, Optional.empty(), Duration.ofSeconds(2), Duration.ofMillis(150), Duration.ofSeconds(3), Duration.ofSeconds(30),
        Duration.ofSeconds(2), OptionalDouble.empty());
  }
}
