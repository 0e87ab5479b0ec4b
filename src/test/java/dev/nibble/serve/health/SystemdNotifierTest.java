package dev.nibble.serve.health;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is said to systemd. That systemd's own program sends it is shown by deploy/test.sh. */
final class SystemdNotifierTest {
  private static final long PID = 42;
  private static final Map<String, String> SOCKET = Map.of("NOTIFY_SOCKET", "/run/systemd/notify");

  @TempDir
  Path folder;

  private Path program(String script) throws IOException {
    Path program = Files.writeString(folder.resolve("notify"), "#!/bin/sh\n" + script + "\n");
    return Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
  }

  @Test
  void nobodyIsToldWithoutASocket() {
    assertThat(SystemdNotifier.of(Map.of(), PID, "true")).isEmpty();
    assertThat(SystemdNotifier.of(Map.of("NOTIFY_SOCKET", "", "WATCHDOG_USEC", "1000000"), PID, "true")).isEmpty();
  }

  @Test
  void theProgramGetsTheAssignments() throws Exception {
    Path said = folder.resolve("said");
    SystemdNotifier notifier = SystemdNotifier.of(SOCKET, PID, program("printf '%s\\n' \"$@\" >>" + said).toString()).orElseThrow();
    assertThat(notifier.send("READY=1", "STATUS=Serving a model.")).isTrue();
    assertThat(notifier.send("STOPPING=1")).isTrue();
    assertThat(said).hasContent("READY=1\nSTATUS=Serving a model.\nSTOPPING=1");
  }

  @Test
  void whatCannotBeToldIsNoFailure() throws Exception {
    SystemdNotifier missing = SystemdNotifier.of(SOCKET, PID, folder.resolve("nowhere").toString()).orElseThrow();
    assertThat(missing.send("READY=1")).isFalse();
    assertThat(missing.send("STOPPING=1")).isFalse();
    assertThat(SystemdNotifier.of(SOCKET, PID, program("exit 1").toString()).orElseThrow().send("READY=1")).isFalse();
  }

  private static java.util.Optional<Duration> watchdog(String microseconds, String pid) {
    return SystemdNotifier.of(Map.of("NOTIFY_SOCKET", "@x", "WATCHDOG_USEC", microseconds, "WATCHDOG_PID", pid), PID, "true").orElseThrow().watchdog();
  }

  @Test
  void theWatchdogIsFedTwiceInItsTime() {
    assertThat(watchdog("30000000", "42")).contains(Duration.ofSeconds(15));
    assertThat(watchdog("30000000", "")).contains(Duration.ofSeconds(15));
    assertThat(watchdog("30000000", "43")).as("meant for another process").isEmpty();
    assertThat(watchdog("", "42")).isEmpty();
    assertThat(watchdog("0", "42")).isEmpty();
    assertThat(watchdog("soon", "42")).isEmpty();
    assertThat(watchdog("9223372036854775807", "42")).as("for ever").isEmpty();
  }
}
