package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
    Path executable = ServiceProcess.executable();
    assumeTrue(Files.isExecutable(executable), "there is no native executable");
    assumeTrue(Files.exists(Path.of("/proc/self/status")), "resident memory is read from /proc");
    try (ServiceProcess service = ServiceProcess.start(List.of(executable.toString()), folder.resolve("log"))) {
      Process process = service.process();
      long before = 0;
      for (int answer = 0; answer < ANSWERS; answer++) {
        if (answer == WARM_UP) {
          before = residentKib(process);
        }
        Api.Reply response = service.api().post("/v1/completions",
            "{\"temperature\":1,\"seed\":" + answer + ",\"ignore_eos\":true,\"max_tokens\":" + TOKENS + ",\"prompt\":\"Once upon a time\"}");
        assertThat(response.status()).as(response.text()).isEqualTo(200);
        assertThat(response.text()).contains("\"completion_tokens\":" + TOKENS);
      }
      long after = residentKib(process);
      System.out.printf("resident after %d tokens: %d KiB, after %d: %d KiB%n", WARM_UP * TOKENS, before, ANSWERS * TOKENS, after);
      assertThat(after).as("KiB resident after %d tokens; after %d it was %d", ANSWERS * TOKENS, WARM_UP * TOKENS, before).isLessThan(before + SLACK_KIB);
    }
  }
}
