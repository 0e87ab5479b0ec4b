package dev.nibble.serve.health;

import java.io.File;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/**
 * Tells systemd what the service does, by its protocol sd_notify(3). That is a datagram on a Unix socket, which Java can't send, so
 * systemd's own program {@code systemd-notify} sends it; the unit therefore needs {@code NotifyAccess=all}. What can't be told is logged
 * once and otherwise left: nobody who asks for answers should notice. Not thread-safe.
 */
final class SystemdNotifier {
  /** The program that sends. */
  static final String PROGRAM = "systemd-notify";

  private static final Logger LOG = Logger.getLogger(SystemdNotifier.class);
  private static final Duration PATIENCE = Duration.ofSeconds(5); // it takes milliseconds, and waits until systemd has read

  private final String program;
  private final Optional<Duration> watchdog;
  private boolean failed;

  private SystemdNotifier(String program, Optional<Duration> watchdog) {
    this.program = program;
    this.watchdog = watchdog;
  }

  /** Where nothing in the environment asks for notices: empty. {@code pid} is this process, for whom a watchdog must be meant. */
  static Optional<SystemdNotifier> of(Map<String, String> environment, long pid, String program) {
    if (environment.getOrDefault("NOTIFY_SOCKET", "").isEmpty()) {
      return Optional.empty();
    }
    String watched = environment.getOrDefault("WATCHDOG_PID", "");
    boolean other = !watched.isEmpty() && !watched.equals(Long.toString(pid));
    return Optional.of(new SystemdNotifier(program, other ? Optional.empty() : interval(environment.getOrDefault("WATCHDOG_USEC", ""))));
  }

  private static Optional<Duration> interval(String microseconds) {
    if (microseconds.isEmpty()) {
      return Optional.empty();
    }
    try {
      long limit = Long.parseLong(microseconds);
      if (limit > 0) {
        return Optional.of(Duration.ofNanos(Math.multiplyExact(limit, 1000L) / 2));
      }
    } catch (NumberFormatException | ArithmeticException unusable) {
      // told below
    }
    LOG.warnf("WATCHDOG_USEC is \"%s\"; allowed: microseconds, 1 or more. The watchdog hears nothing.", microseconds);
    return Optional.empty();
  }

  /** How often {@code WATCHDOG=1} is due: half of what systemd allows. Empty where it watches nothing. */
  Optional<Duration> watchdog() {
    return watchdog;
  }

  /** Sends assignments such as {@code READY=1}; false if that failed. */
  boolean send(String... assignments) {
    List<String> command = new ArrayList<>();
    command.add(program);
    command.addAll(List.of(assignments));
    String reason;
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true)
          .redirectInput(new File("/dev/null")).redirectOutput(new File("/dev/null")).start();
      if (!process.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly();
        reason = "it did not end within " + PATIENCE.toSeconds() + " seconds";
      } else if (process.exitValue() != 0) {
        reason = "it ended with exit code " + process.exitValue();
      } else {
        return true;
      }
    } catch (IOException failure) {
      reason = failure.getMessage();
    } catch (InterruptedException interrupt) {
      Thread.currentThread().interrupt();
      reason = "interrupted";
    }
    if (!failed) {
      failed = true;
      LOG.warnf("systemd can't be told %s by the program %s, and further failures are not logged: %s", String.join(" ", assignments), program, reason);
    }
    return false;
  }
}
