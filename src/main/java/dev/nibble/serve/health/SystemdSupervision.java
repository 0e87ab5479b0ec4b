package dev.nibble.serve.health;

import dev.nibble.serve.api.ServedModels;
import dev.nibble.serve.api.ServingState;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Liveness;

/**
 * Under systemd ({@code NOTIFY_SOCKET} is set): {@code READY=1} once the model is loaded, {@code STOPPING=1} when the service begins to
 * stop, and {@code WATCHDOG=1} at half of {@code WATCHDOG_USEC} for as long as the service is live, which is what {@link LivenessCheck}
 * says. Elsewhere: nothing.
 */
@Singleton
final class SystemdSupervision {
  private static final Duration LAST_WORD = Duration.ofSeconds(2); // stopping does not wait longer for its being told

  private final ServedModels models;
  private final LivenessCheck liveness;
  private final Optional<SystemdNotifier> notifier = SystemdNotifier.of(System.getenv(), ProcessHandle.current().pid(), SystemdNotifier.PROGRAM);
  /** One thread, so that notices keep their order; none until there is one. */
  private final ScheduledExecutorService sender =
      Executors.newSingleThreadScheduledExecutor(task -> Thread.ofPlatform().name("nibble-systemd").daemon(true).unstarted(task));

  @Inject
  SystemdSupervision(ServedModels models, @Liveness LivenessCheck liveness) {
    this.models = models;
    this.liveness = liveness;
  }

  void changed(@Observes ServingState state) throws InterruptedException {
    if (notifier.isEmpty()) {
      return;
    }
    if (state.ready()) {
      sender.execute(() -> begin(notifier.get(), state));
    } else if (models.stopping()) {
      Future<?> told = sender.submit(() -> notifier.get().send("STOPPING=1", "STATUS=Finishing answers."));
      try {
        told.get(LAST_WORD.toMillis(), TimeUnit.MILLISECONDS);
      } catch (ExecutionException | TimeoutException untold) {
        // The notifier logs what it can't do, and stopping goes on.
      }
    }
  }

  private void begin(SystemdNotifier systemd, ServingState state) {
    systemd.send("READY=1", "STATUS=Serving " + String.join(", ", state.models()) + ".");
    systemd.watchdog().ifPresent(interval -> sender.scheduleAtFixedRate(() -> {
      if (liveness.call().getStatus() == HealthCheckResponse.Status.UP) {
        systemd.send("WATCHDOG=1");
      }
    }, 0, interval.toNanos(), TimeUnit.NANOSECONDS));
  }
}
