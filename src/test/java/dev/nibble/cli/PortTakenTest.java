package dev.nibble.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.FreePort;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code serve} where it can't listen: one line, exit code 1, and no word of serving. {@link PortTakenIT} runs the same against the native executable. */
class PortTakenTest {
  /** The words that start the program. */
  List<String> program() {
    return List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "@src/main/jvm/options", "-Djava.util.logging.manager=org.jboss.logmanager.LogManager", "-cp",
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")), Main.class.getName());
  }

  private void refuses(String part, String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(program());
    command.add("serve");
    command.addAll(List.of(arguments));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("ends").isTrue();
    String lines = text.lines().filter(line -> !line.startsWith("WARNING: ")).collect(Collectors.joining("\n"));
    assertThat(lines.lines()).as(lines).hasSize(1);
    assertThat(lines).startsWith("nibble: ").contains(part);
    assertThat(process.exitValue()).isEqualTo(1);
  }

  private static String free() throws IOException {
    return Integer.toString(FreePort.get());
  }

  @Test
  void eitherPortMayBeTaken() throws Exception {
    try (ServerSocket taken = new ServerSocket(0)) {
      String port = Integer.toString(taken.getLocalPort());
      refuses("port " + port + " of 0.0.0.0 is taken", "--http-port", free(), "--grpc-port", port);
      refuses("port " + port + " of 0.0.0.0 is taken", "--http-port", port, "--grpc-port", free());
    }
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String port = Integer.toString(taken.getLocalPort());
      refuses("port " + port + " of 127.0.0.1 is taken", "--http-port", free(), "--grpc-port", port, "-Dquarkus.grpc.server.host=127.0.0.1");
    }
  }

  /** A service with a certificate listens on a third port, which other options move. */
  @Test
  void thePortOfHttpsMayBeTaken(@TempDir Path folder) throws Exception {
    String certificate = folder.resolve("certificate.pem").toString();
    String key = folder.resolve("key.pem").toString();
    Process openssl = new ProcessBuilder("sh", "-c", "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout \"$1\" -out \"$2\"",
        "sh", key, certificate).redirectErrorStream(true).redirectOutput(folder.resolve("log").toFile()).start();
    Assumptions.assumeTrue(openssl.waitFor() == 0, "skipped: there is no openssl here");
    String[] tls = {"-Dquarkus.http.ssl.certificate.files=" + certificate, "-Dquarkus.http.ssl.certificate.key-files=" + key};
    try (ServerSocket taken = new ServerSocket(0)) {
      String port = Integer.toString(taken.getLocalPort());
      refuses("port " + port + " of 0.0.0.0 is taken by another program (\"ss -ltnp\" shows which); give another by -Dquarkus.http.ssl-port=N",
          "--http-port", free(), "--grpc-port", free(), "-Dquarkus.http.ssl-port=" + port, tls[0], tls[1]);
      refuses("give another by --http-port", "--http-port", port, "--grpc-port", free(), "-Dquarkus.http.ssl-port=" + free(), tls[0], tls[1]);
      refuses("give another by --grpc-port", "--http-port", free(), "--grpc-port", port, "-Dquarkus.http.ssl-port=" + free(), tls[0], tls[1]);
    }
    String port = free();
    refuses("HTTPS can't listen on port " + port + ", which REST has", "--http-port", port, "--grpc-port", free(), "-Dquarkus.http.ssl-port=" + port, tls[0], tls[1]);
  }

  @Test
  void anAddressMayBeAnothers() throws Exception {
    refuses("can't listen on 192.0.2.1 port", "--http-port", free(), "--grpc-port", free(), "-Dquarkus.http.host=192.0.2.1");
    refuses("can't listen on 192.0.2.1 port", "--http-port", free(), "--grpc-port", free(), "-Dquarkus.grpc.server.host=192.0.2.1");
    refuses("there is no address \"nowhere.invalid\"", "--http-port", free(), "--grpc-port", free(), "-Dquarkus.http.host=nowhere.invalid");
    String port = free();
    refuses("can't both listen on port " + port, "--http-port", port, "--grpc-port", port);
  }
}
