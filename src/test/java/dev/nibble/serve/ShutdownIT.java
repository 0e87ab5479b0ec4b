package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * SIGTERM ends a real process as operators want it. An integration test, because only a packaged program is a process of its own:
 * the native executable where there is one, otherwise the one that Java runs.
 */
final class ShutdownIT {
  private static final String LONG =
      "{\"temperature\":0,\"ignore_eos\":true,\"max_tokens\":900,\"stream\":true,\"logprobs\":20,\"prompt\":\"Once upon a time\"}";

  @TempDir
  Path folder;

  @Test
  void finishesWhatRunsAndRefusesWhatComes() throws Exception {
    try (ServiceProcess service = ServiceProcess.start(ServiceProcess.program(), folder.resolve("log"))) {
      Api api = service.api();
      Process process = service.process();
      try (Api.Wire running = api.connect(); Api.Wire other = api.connect()) {
        running.post("/v1/completions", LONG);
        running.readThrough("data: ");
        process.destroy(); // SIGTERM
        Api.await("the service says that it stops", () -> api.get("/q/health/ready").status() == 503);
        assertThat(api.get("/q/health/live").status()).isEqualTo(200);
        other.post("/v1/completions", LONG);
        assertThat(other.readResponse()).startsWith("HTTP/1.1 503").contains("\"code\":\"shutting_down\"").containsIgnoringCase("retry-after: ");
        assertThat(running.readThrough("0\r\n\r\n")).contains("\"finish_reason\":\"length\"").contains("data: [DONE]");
      }
      assertThat(process.waitFor(Api.PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
      // 128 + 15, or 0: the signal's own code or the program's, by how the runtime ends after its hooks.
      assertThat(process.exitValue()).isIn(0, 143);
      assertThat(Files.readString(folder.resolve("log"))).doesNotContain("\tat ", "Exception");
    }
  }
}
