package dev.nibble.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.serve.grpc.FreeGrpcPort;
import grpc.health.v1.HealthGrpc;
import grpc.health.v1.HealthOuterClass.HealthCheckRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse.ServingStatus;
import io.grpc.Server;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code nibble health} in a process of its own asks the service that runs here, and others that are not well. */
@QuarkusTest
@QuarkusTestResource(FreeGrpcPort.class)
class HealthCommandTest implements FreeGrpcPort.Client {
  private int port;

  /** What a process left; of the JVM's own warnings nothing. */
  record Outcome(int status, String text) {}

  @Override
  public void grpcPort(int port) {
    this.port = port;
  }

  /** The words that start the program. */
  List<String> program() {
    return List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "--enable-native-access=ALL-UNNAMED",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager", "-cp",
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")), Main.class.getName());
  }

  private Outcome health(int server, String... options) throws IOException, InterruptedException {
    return health(Map.of(), server, options);
  }

  private Outcome health(Map<String, String> environment, int server, String... options) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(program());
    command.add("health");
    command.addAll(List.of(options));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().putAll(environment);
    builder.environment().put("QUARKUS_GRPC_SERVER_PORT", Integer.toString(server));
    Process process = builder.start();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("ends").isTrue();
    return new Outcome(process.exitValue(), text.lines().filter(line -> !line.startsWith("WARNING: ")).collect(Collectors.joining("\n")));
  }

  @Test
  void aRunningServiceServes() throws Exception {
    Outcome outcome = health(port, "--timeout", "20");
    for (int i = 0; i < 100 && outcome.status() == 1; i++) { // an executable is started before its model is loaded
      outcome = health(port, "--timeout", "20");
    }
    assertThat(outcome).isEqualTo(new Outcome(0, "serving"));
    assertThat(health(1, "--grpc-port", Integer.toString(port), "--address", "127.0.0.1", "--timeout", "20")).isEqualTo(new Outcome(0, "serving"));
    assertThat(health(port, "--service", "nibble.v1.GenerationService", "--timeout", "20")).isEqualTo(new Outcome(0, "serving"));
    assertThat(health(port, "--service", "nibble-home", "--timeout", "20")).isEqualTo(new Outcome(0, "serving"));
    assertThat(health(port, "--service", "another", "--timeout", "20"))
        .isEqualTo(new Outcome(1, "nibble: there is no service or model \"another\" at localhost:" + port));
  }

  @Test
  void aServiceThatIsLoadingDoesNotServe() throws Exception {
    Server loading = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)).addService(new HealthGrpc.HealthImplBase() {
      @Override
      public void check(HealthCheckRequest request, StreamObserver<HealthCheckResponse> observer) {
        observer.onNext(HealthCheckResponse.newBuilder().setStatus(ServingStatus.NOT_SERVING).build());
        observer.onCompleted();
      }
    }).build().start();
    try {
      assertThat(health(loading.getPort(), "--timeout", "20"))
          .isEqualTo(new Outcome(1, "nibble: the service at localhost:" + loading.getPort() + " does not serve: NOT_SERVING"));
    } finally {
      loading.shutdownNow();
    }
  }

  /** Its own certificate is in the environment that a container's health check shares with the service; whoever asks from elsewhere says so. */
  @Test
  void aServiceThatEncryptsIsAskedOverTls(@TempDir Path folder) throws Exception {
    Path certificate = folder.resolve("certificate.pem");
    Path key = folder.resolve("key.pem");
    Assumptions.assumeTrue(made(certificate, key), "skipped: openssl can't make a certificate here");
    Server server = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
        .sslContext(GrpcSslContexts.forServer(certificate.toFile(), key.toFile()).build()).addService(new HealthGrpc.HealthImplBase() {
          @Override
          public void check(HealthCheckRequest request, StreamObserver<HealthCheckResponse> observer) {
            observer.onNext(HealthCheckResponse.newBuilder().setStatus(ServingStatus.SERVING).build());
            observer.onCompleted();
          }
        }).build().start();
    try {
      Outcome serving = new Outcome(0, "serving");
      int encrypted = server.getPort();
      assertThat(health(Map.of("QUARKUS_GRPC_SERVER_SSL_CERTIFICATE", certificate.toString(), "QUARKUS_GRPC_SERVER_SSL_KEY", key.toString()), encrypted, "--timeout", "20"))
          .isEqualTo(serving);
      assertThat(health(encrypted, "--tls", "--timeout", "20")).isEqualTo(serving);
      assertThat(health(encrypted, "--address", "localhost", "--trust", certificate.toString(), "--timeout", "20")).as("a certificate of that name").isEqualTo(serving);
      assertThat(health(encrypted, "--address", "127.0.0.1", "--trust", certificate.toString(), "--timeout", "20")).as("a certificate of another name")
          .satisfies(other -> assertThat(other.status()).isEqualTo(1)).satisfies(other -> assertThat(other.text()).startsWith("nibble: nothing answers at ").hasLineCount(1));
      assertThat(health(encrypted, "--timeout", "20").status()).as("plain text").isEqualTo(1);
      assertThat(health(encrypted, "--trust", key.toString(), "--timeout", "20")).as("no certificate").satisfies(other -> assertThat(other.text()).contains("key.pem").hasLineCount(1))
          .satisfies(other -> assertThat(other.status()).isEqualTo(2));
      assertThat(health(encrypted, "--trust", folder.resolve("nowhere").toString())).isEqualTo(new Outcome(2, "nibble: no such file: " + folder.resolve("nowhere")));
    } finally {
      server.shutdownNow();
    }
  }

  private static boolean made(Path certificate, Path key) throws InterruptedException {
    try {
      return new ProcessBuilder("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
          "-addext", "subjectAltName=DNS:localhost", "-keyout", key.toString(), "-out", certificate.toString())
          .redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor() == 0;
    } catch (IOException missing) {
      return false;
    }
  }

  @Test
  void whatDoesNotAnswerDoesNotServe() throws Exception {
    int silent;
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      silent = socket.getLocalPort();
      assertThat(health(silent, "--timeout", "0.5")).isEqualTo(new Outcome(1, "nibble: no answer from localhost:" + silent + " within 0.5 seconds"));
    }
    Outcome refused = health(silent, "--timeout", "20");
    assertThat(refused.status()).isEqualTo(1);
    assertThat(refused.text()).startsWith("nibble: nothing answers at localhost:" + silent + ": ").contains("Connection refused").hasLineCount(1);
  }

  private void refuses(String complaint, String... options) throws Exception {
    Outcome outcome = health(port, options);
    assertThat(outcome.status()).as(outcome.text()).isEqualTo(2);
    assertThat(outcome.text()).startsWith("nibble: ").contains(complaint).hasLineCount(1);
  }

  @Test
  void mistakesGetOneLine() throws Exception {
    refuses("--grpc-port is 0; allowed: 1 to 65535", "--grpc-port", "0");
    refuses("--grpc-port", "--grpc-port", "many");
    Outcome outcome = health(0);
    assertThat(outcome).isEqualTo(new Outcome(2, "nibble: QUARKUS_GRPC_SERVER_PORT is 0; allowed: 1 to 65535"));
    refuses("--timeout is 0.0; allowed: 0.01 to 3600.0 seconds", "--timeout", "0");
    refuses("there is no host \"no.such.host.invalid\"", "--address", "no.such.host.invalid");
    refuses("--no-such-option", "--no-such-option");
  }
}
