package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.FreePort;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A packaged program that serves in a process of its own, for tests of the process. */
record ServiceProcess(Process process, Api api, Path log) implements AutoCloseable {
  /** Where the native executable is, if there is one. */
  static Path executable() {
    return Path.of(System.getProperty("native.image.path", "target/nibble"));
  }

  /** The words that start the packaged program: the native executable where there is one, otherwise what Java runs. */
  static List<String> program() {
    if (Files.isExecutable(executable())) {
      return List.of(executable().toString());
    }
    Path jar = Path.of("target/quarkus-app/quarkus-run.jar");
    assertThat(jar).as("the packaged program").exists();
    return List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "@src/main/jvm/options", "--sun-misc-unsafe-memory-access=allow", "-jar", jar.toString());
  }

  /** Starts {@code program serve} on a free port, and returns when it is ready. */
  static ServiceProcess start(List<String> program, Path log) throws IOException, InterruptedException {
    return start(program, Map.of(), log);
  }

  /** The same with settings, by the names of their environment variables. */
  static ServiceProcess start(List<String> program, Map<String, String> settings, Path log) throws IOException, InterruptedException {
    int port = FreePort.get();
    List<String> command = new ArrayList<>(program);
    command.add("serve");
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
    builder.environment().put("QUARKUS_HTTP_PORT", Integer.toString(port));
    builder.environment().put("QUARKUS_GRPC_SERVER_PORT", "0");
    builder.environment().putAll(settings);
    ServiceProcess service = new ServiceProcess(builder.start(), new Api(URI.create("http://localhost:" + port + "/")), log);
    try {
      Api.await("the service is ready", service::ready);
    } catch (IOException | InterruptedException | RuntimeException | Error failure) {
      service.close();
      throw failure;
    }
    return service;
  }

  private boolean ready() throws IOException, InterruptedException {
    try {
      return api.get("/q/health/ready").status() == 200;
    } catch (IOException notYet) {
      assertThat(process.isAlive()).as(Files.readString(log)).isTrue();
      return false;
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
