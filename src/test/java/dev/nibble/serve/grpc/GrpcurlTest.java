package dev.nibble.serve.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import io.quarkus.test.junit.QuarkusTest;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** grpcurl, which knows of the service what reflection tells it, shows answers and errors; built once from Go's modules, and skipped where that can't be done. */
@QuarkusTest
@Timeout(value = 15, unit = TimeUnit.MINUTES) // it may have to be built
class GrpcurlTest extends GrpcClientTest {
  private static final String VERSION = "v1.9.3";

  private record Run(int exitCode, String output) {}

  private Path folder;

  @BeforeEach
  void install() throws Exception {
    String cache = Optional.ofNullable(System.getenv("XDG_CACHE_HOME")).filter(path -> !path.isEmpty()).orElse(System.getProperty("user.home") + "/.cache");
    folder = Path.of(cache, "nibble-clients", "grpcurl-" + VERSION);
    if (Files.isExecutable(folder.resolve("grpcurl"))) {
      return;
    }
    Run built;
    try {
      ProcessBuilder go = new ProcessBuilder("go", "install", "github.com/fullstorydev/grpcurl/cmd/grpcurl@" + VERSION);
      go.environment().put("GOBIN", folder.toString());
      go.environment().put("GOTOOLCHAIN", "local");
      built = run(go);
    } catch (IOException missing) {
      built = new Run(-1, missing.getMessage());
    }
    String reason = built.output();
    Assumptions.assumeTrue(built.exitCode() == 0, () -> "skipped: Go can't build grpcurl here: " + reason);
  }

  private static Run run(ProcessBuilder builder) throws IOException, InterruptedException {
    Process process = builder.redirectErrorStream(true).start();
    process.getOutputStream().close();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Run(process.waitFor(), output);
  }

  /** A shell's command line, with grpcurl on its path and this service in the place of the usual one. */
  private ProcessBuilder shell(String command) {
    ProcessBuilder builder = new ProcessBuilder("bash", "-c", command.replace("localhost:9000", "localhost:" + port));
    builder.environment().merge("PATH", folder.toString(), (path, first) -> first + ":" + path);
    return builder;
  }

  private Run grpcurl(String arguments) throws IOException, InterruptedException {
    return run(shell("grpcurl -plaintext " + arguments));
  }

  @Test
  void showsTheDetailsOfErrors() throws Exception {
    Run run = grpcurl("-d '{\"options\": {\"text\": \"x\", \"sampling\": {\"temperature\": 3}}}' localhost:9000 nibble.v1.GenerationService/Generate");
    assertThat(run.exitCode()).isNotZero();
    assertThat(run.output()).contains("Code: InvalidArgument", "google.rpc.ErrorInfo", "\"reason\": \"INVALID_REQUEST\"", "\"domain\": \"nibble.dev\"",
        "\"field\": \"options.sampling.temperature\"", "google.rpc.BadRequest", "\"field_violations\"");
    run = grpcurl("-d '{\"name\": \"gpt-4\"}' localhost:9000 inference.GRPCInferenceService/ModelMetadata");
    assertThat(run.output()).contains("Code: NotFound", "\"reason\": \"MODEL_NOT_FOUND\"", "\"model\": \"gpt-4\"");
    for (String type : List.of("ErrorInfo", "BadRequest", "RetryInfo", "QuotaFailure", "Status")) {
      run = grpcurl("localhost:9000 describe google.rpc." + type);
      assertThat(run.exitCode()).as(run.output()).isZero();
      assertThat(run.output()).contains("message " + type + " {");
    }
  }

  @Test
  void streamsTensors() throws Exception {
    Run run = grpcurl("-d '{\"model_name\": \"nibble-home\", \"parameters\": {\"max_tokens\": {\"int64_param\": 8}}, \"inputs\": [{\"name\": \"prompt\", "
        + "\"datatype\": \"BYTES\", \"shape\": [1], \"contents\": {\"bytes_contents\": [\"T25jZSB1cG9uIGEgdGltZQ==\"]}}]}' "
        + "localhost:9000 inference.GRPCInferenceService/ModelStreamInfer");
    assertThat(run.exitCode()).as(run.output()).isZero();
    assertThat(run.output()).contains("\"triton_final_response\"", "\"bool_param\": true", "\"completion_tokens\"");
  }

  /** The commands of docs/grpc.md and of README.md. */
  @Test
  void theDocumentationsExamplesWork() throws Exception {
    List<String> commands = new ArrayList<>();
    for (String file : List.of("docs/grpc.md", "README.md")) {
      String text = Files.readString(Path.of(file)).replace("\\\n", " ");
      Pattern.compile("^ *(grpcurl .*)$", Pattern.MULTILINE).matcher(text).results().forEach(match -> commands.add(match.group(1)));
    }
    assertThat(commands.size()).isGreaterThan(4);
    for (String command : commands) {
      if (command.endsWith("/Watch")) {
        watches(command);
        continue;
      }
      Run run = run(shell(command));
      assertThat(run.exitCode()).as(command + "\n" + run.output()).isZero();
      assertThat(run.output()).as(command).containsAnyOf("nibble.v1.GenerationService", "kitchen", "\"text\"");
    }
  }

  /** A command that goes on until it is ended. */
  private void watches(String command) throws IOException, InterruptedException {
    Process process = shell("exec " + command).redirectErrorStream(true).start();
    StringBuilder told = new StringBuilder();
    try (BufferedReader lines = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null && !told.toString().contains("SERVING"); line = lines.readLine()) {
        told.append(line).append('\n');
      }
      assertThat(told).as(command).contains("\"SERVING\"");
    } finally {
      process.destroy();
      process.waitFor();
    }
  }
}
