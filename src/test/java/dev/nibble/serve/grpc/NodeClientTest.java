package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import io.quarkus.test.junit.QuarkusTest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** gRPC's client for JavaScript works against the service: {@code src/test/grpc-client/drive.mjs} says what it does. */
@QuarkusTest
class NodeClientTest extends GrpcClientTest {
  private static final Path SOURCE = Path.of("src/test/grpc-client");
  private static final Path FOLDER = Path.of("target/grpc-client");

  private record Run(int exitCode, String output) {}

  @Test
  void drivesTheService() throws Exception {
    install();
    Run run = run("node", "drive.mjs", "localhost:" + port, Path.of("proto").toAbsolutePath().toString());
    assertThat(run.exitCode()).as(run.output()).isZero();
    assertThat(run.output().lines())
        .containsExactly("ok models", "ok whole answer", "ok streamed answer", "ok tokens", "ok errors", "ok cancelled stream");
  }

  /** Installs the client's packages; skips the test where that can't be done. */
  private static void install() throws IOException, InterruptedException {
    Files.createDirectories(FOLDER);
    for (String file : List.of("package.json", "package-lock.json", "drive.mjs")) {
      Files.copy(SOURCE.resolve(file), FOLDER.resolve(file), StandardCopyOption.REPLACE_EXISTING);
    }
    Run installed;
    try {
      installed = run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0");
    } catch (IOException missing) {
      installed = new Run(-1, missing.getMessage());
    }
    String reason = installed.output();
    Assumptions.assumeTrue(installed.exitCode() == 0, () -> "skipped: npm can't install @grpc/grpc-js here: " + reason);
  }

  private static Run run(String... command) throws IOException, InterruptedException {
    Path output = FOLDER.resolve("output");
    Process process = new ProcessBuilder(command).directory(FOLDER.toFile()).redirectErrorStream(true).redirectOutput(output.toFile()).start();
    if (!process.waitFor(60, TimeUnit.SECONDS)) {
      process.destroyForcibly().waitFor();
    }
    return new Run(process.exitValue(), Files.readString(output, StandardCharsets.UTF_8));
  }
}
