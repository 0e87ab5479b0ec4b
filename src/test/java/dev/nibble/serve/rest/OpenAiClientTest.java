package dev.nibble.serve.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.serve.Api;
import dev.nibble.serve.SmallQueue;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.TestProfile;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** OpenAI's own client for JavaScript works against the service: {@code src/test/openai-client/drive.mjs} says what it does. */
@QuarkusTest
@TestProfile(SmallQueue.class)
class OpenAiClientTest {
  private static final Path SOURCE = Path.of("src/test/openai-client");
  private static final Path FOLDER = Path.of("target/openai-client");

  record Run(int exitCode, String output) {}

  @TestHTTPResource("/")
  URI base;

  @Test
  void drivesTheService() throws Exception {
    install();
    double cancelled = new Api(base).metric("nibble_requests_total", "outcome=\"cancelled\"");
    Run run = run("node", "drive.mjs", base.resolve("/v1").toString());
    assertThat(run.exitCode()).as(run.output()).isZero();
    assertThat(run.output().lines()).containsExactly("ok models", "ok whole answer", "ok streamed answer", "ok stream helper", "ok text", "ok errors",
        "ok aborted stream and full queue");
    assertThat(new Api(base).metric("nibble_requests_total", "outcome=\"cancelled\"")).as("aborted streams").isGreaterThan(cancelled);
  }

  /** Installs the client once; skips the test where that can't be done. */
  static void install() throws IOException, InterruptedException {
    Files.createDirectories(FOLDER);
    for (String file : List.of("package.json", "package-lock.json", "drive.mjs", "keys.mjs")) {
      Files.copy(SOURCE.resolve(file), FOLDER.resolve(file), StandardCopyOption.REPLACE_EXISTING);
    }
    Run installed;
    try {
      installed = run("npm", "ci", "--no-audit", "--no-fund", "--fetch-retries=0");
    } catch (IOException missing) {
      installed = new Run(-1, missing.getMessage());
    }
    String reason = installed.output();
    Assumptions.assumeTrue(installed.exitCode() == 0, () -> "skipped: npm can't install the package openai here: " + reason);
  }

  static Run run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).directory(FOLDER.toFile()).redirectErrorStream(true).start();
    process.getOutputStream().close();
    // Ends a process that hangs; reading its output would wait for it.
    Thread.ofVirtual().start(() -> {
      try {
        if (!process.waitFor(2 * Api.PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
          process.destroyForcibly();
        }
      } catch (InterruptedException interrupt) {
        process.destroyForcibly();
      }
    });
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Run(process.waitFor(), output);
  }
}
