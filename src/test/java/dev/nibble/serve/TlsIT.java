package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.nibble.FreePort;
import grpc.health.v1.HealthGrpc;
import grpc.health.v1.HealthOuterClass.HealthCheckRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse.ServingStatus;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** TLS of the native executable, in a process of its own with certificates of its own; without one, of the program that Java runs. */
final class TlsIT {
  @TempDir
  Path folder;

  @Test
  void bothServersEncryptAndBadCertificatesAreRefused() throws Exception {
    Path certificate = folder.resolve("certificate.pem");
    Path key = folder.resolve("key.pem");
    assumeTrue(TlsTest.Encrypted.made(certificate, key, folder.resolve("openssl.log")), "skipped: openssl can't make a certificate here");
    int tlsPort = FreePort.get();
    int grpcPort = FreePort.get();
    Map<String, String> settings = Map.of("QUARKUS_HTTP_SSL_CERTIFICATE_FILES", certificate.toString(), "QUARKUS_HTTP_SSL_CERTIFICATE_KEY_FILES", key.toString(),
        "QUARKUS_HTTP_SSL_PORT", Integer.toString(tlsPort), "QUARKUS_GRPC_SERVER_SSL_CERTIFICATE", certificate.toString(), "QUARKUS_GRPC_SERVER_SSL_KEY", key.toString(),
        "QUARKUS_GRPC_SERVER_PORT", Integer.toString(grpcPort));
    List<String> program = ServiceProcess.program();
    try (ServiceProcess service = ServiceProcess.start(program, settings, folder.resolve("log"))) {
      HttpRequest request = HttpRequest.newBuilder(URI.create("https://localhost:" + tlsPort + "/v1/models")).timeout(Api.PATIENCE).build();
      HttpClient client = TlsTest.client(certificate);
      Api.await("the second port of REST is open, too", () -> {
        try {
          return client.send(request, BodyHandlers.ofString()).body().contains("\"id\":\"nibble-home\"");
        } catch (ConnectException notYet) {
          return false;
        }
      });
      assertThatThrownBy(() -> HttpClient.newHttpClient().send(request, BodyHandlers.ofString())).as("who does not know the certificate").isInstanceOf(IOException.class);
      ManagedChannel channel = NettyChannelBuilder.forAddress("localhost", grpcPort)
          .sslContext(GrpcSslContexts.forClient().trustManager(certificate.toFile()).build()).build();
      ManagedChannel plain = NettyChannelBuilder.forAddress("localhost", grpcPort).usePlaintext().build();
      try {
        assertThat(HealthGrpc.newBlockingStub(channel).check(HealthCheckRequest.getDefaultInstance()).getStatus()).isEqualTo(ServingStatus.SERVING);
        assertThatThrownBy(() -> HealthGrpc.newBlockingStub(plain).withDeadlineAfter(5, TimeUnit.SECONDS).check(HealthCheckRequest.getDefaultInstance()))
            .isInstanceOf(StatusRuntimeException.class);
      } finally {
        channel.shutdownNow();
        plain.shutdownNow();
      }
      assertThat(Files.readString(service.log())).doesNotContain("\tat ");
    }
    Path other = folder.resolve("other.pem");
    Path otherKey = folder.resolve("other-key.pem");
    assertThat(TlsTest.Encrypted.made(other, otherKey, folder.resolve("openssl.log"))).isTrue();
    assertThat(ending(program, "-Dquarkus.http.ssl.certificate.files=" + certificate, "-Dquarkus.http.ssl.certificate.key-files=" + otherKey))
        .isEqualTo("nibble: quarkus.http.ssl.certificate.key-files: " + otherKey + " is not the key of the certificate in " + certificate + "\n");
    assertThat(ending(program, "-Dquarkus.grpc.server.ssl.certificate=" + folder.resolve("none"), "-Dquarkus.grpc.server.ssl.key=" + key))
        .isEqualTo("nibble: quarkus.grpc.server.ssl.certificate: " + folder.resolve("none") + ": no such file\n");
  }

  /** What a service that does not start says. */
  private String ending(List<String> program, String... settings) throws Exception {
    List<String> command = new ArrayList<>(program);
    command.add("serve");
    command.addAll(List.of(settings));
    Path said = folder.resolve("said");
    Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(said.toFile()).start();
    assertThat(process.waitFor(Api.PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isEqualTo(2);
    return Files.readString(said).lines().filter(line -> !line.startsWith("WARNING: ")).reduce("", (a, b) -> a + b + "\n");
  }
}
