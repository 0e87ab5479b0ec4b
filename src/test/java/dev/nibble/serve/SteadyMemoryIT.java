package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Resident memory of the native executable over some ten thousand generated tokens. Only of that: how far a JVM lets its heap grow is its own affair,
 * and DecodeAllocationTest counts there what decoding allocates.
 */
final class SteadyMemoryIT {
  private static final int TOKENS = 900; // of an answer: as many as the embedded model's context takes
  private static final int WARM_UP = 10; // answers, until buffers and heap have their size
  private static final int ANSWERS = 60;
  /**
   * The collector's young generation comes and goes: over 144 000 tokens resident memory was measured between 95 and 119 MB, without a trend. A leak of
   * one answer's keys and values would be 50 times 1 MB here.
   */
  private static final long SLACK_KIB = 32 * 1024;

  @TempDir
  Path folder;

  private static long residentKib(Process process) throws IOException {
    return Files.readAllLines(Path.of("/proc", Long.toString(process.pid()), "status")).stream().filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", ""))).findFirst().orElseThrow();
  }

  @Test
  void staysFlatOverTenThousandTokens() throws Exception {
    Path executable = Path.of(System.getProperty("native.image.path", "target/nibble"));
    assumeTrue(Files.isExecutable(executable), "there is no native executable");
    assumeTrue(Files.exists(Path.of("/proc/self/status")), "resident memory is read from /proc");
    int port;
    try (ServerSocket socket = new ServerSocket(0)) {
      port = socket.getLocalPort();
    }
    ProcessBuilder builder = new ProcessBuilder(executable.toString(), "serve").redirectErrorStream(true).redirectOutput(folder.resolve("log").toFile());
    builder.environment().put("QUARKUS_HTTP_PORT", Integer.toString(port));
    builder.environment().put("QUARKUS_GRPC_SERVER_PORT", "0");
    Process process = builder.start();
    try {
      Api api = new Api(URI.create("http://localhost:" + port + "/"));
      Api.await("the service is ready", () -> {
        try {
          return api.get("/q/health/ready").status() == 200;
        } catch (IOException notYet) {
          assertThat(process.isAlive()).as(Files.readString(folder.resolve("log"))).isTrue();
          return false;
        }
      });
      long before = 0;
      for (int answer = 0; answer < ANSWERS; answer++) {
        if (answer == WARM_UP) {
          before = residentKib(process);
        }
        Api.Reply response = api.post("/v1/completions",
            "{\"temperature\":1,\"seed\":" + answer + ",\"ignore_eos\":true,\"max_tokens\":" + TOKENS + ",\"prompt\":\"Once upon a time\"}");
        assertThat(response.status()).as(response.text()).isEqualTo(200);
        assertThat(response.text()).contains("\"completion_tokens\":" + TOKENS);
      }
      long after = residentKib(process);
      System.out.printf("resident after %d tokens: %d KiB, after %d: %d KiB%n", WARM_UP * TOKENS, before, ANSWERS * TOKENS, after);
      assertThat(after).as("KiB resident after %d tokens; after %d it was %d", ANSWERS * TOKENS, WARM_UP * TOKENS, before).isLessThan(before + SLACK_KIB);
    } finally {
      process.destroyForcibly();
    }
  }
}
