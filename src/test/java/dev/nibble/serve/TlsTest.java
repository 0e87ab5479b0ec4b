package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.serve.grpc.FreeGrpcPort;
import grpc.health.v1.HealthGrpc;
import grpc.health.v1.HealthOuterClass.HealthCheckRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse.ServingStatus;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** TLS by the framework's own settings, as docs/security.md gives them. Skipped where there is no openssl to make a certificate. */
@QuarkusTest
@TestProfile(TlsTest.Encrypted.class)
@QuarkusTestResource(FreeGrpcPort.class)
class TlsTest implements FreeGrpcPort.Client {
  private static final Path FOLDER = Path.of("target/test-tls").toAbsolutePath();
  private static final Path CERTIFICATE = FOLDER.resolve("certificate.pem");
  private static final Path KEY = FOLDER.resolve("key.pem");

  /** A service with a certificate of its own. */
  public static final class Encrypted implements QuarkusTestProfile {
    @Override
    public Map<String, String> getConfigOverrides() {
      if (!made(CERTIFICATE, KEY, FOLDER.resolve("log"))) {
        return Map.of();
      }
      return Map.of("quarkus.http.ssl.certificate.files", CERTIFICATE.toString(), "quarkus.http.ssl.certificate.key-files", KEY.toString(),
          "quarkus.http.test-ssl-port", "0", "quarkus.grpc.server.ssl.certificate", CERTIFICATE.toString(), "quarkus.grpc.server.ssl.key", KEY.toString(),
          "quarkus.grpc.server.plain-text", "false");
    }

    /** Makes a certificate for localhost and its key. */
    static boolean made(Path certificate, Path key, Path log) {
      try {
        Files.createDirectories(certificate.getParent());
        Process openssl = new ProcessBuilder("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key.toString(), "-out", certificate.toString())
            .redirectErrorStream(true).redirectOutput(log.toFile()).start();
        return openssl.waitFor() == 0;
      } catch (IOException missing) {
        return false;
      } catch (InterruptedException interrupt) {
        throw new UncheckedIOException(new IOException(interrupt));
      }
    }
  }

  @TestHTTPResource(value = "/", tls = true)
  URI base;

  private int port;

  @Override
  public void grpcPort(int port) {
    this.port = port;
  }

  @BeforeEach
  void certificate() {
    Assumptions.assumeTrue(Files.exists(CERTIFICATE), "skipped: openssl can't make a certificate here");
  }

  /** A client that trusts one certificate. */
  static HttpClient client(Path certificate) throws Exception {
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null);
    try (InputStream in = Files.newInputStream(certificate)) {
      trusted.setCertificateEntry("nibble", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return HttpClient.newBuilder().sslContext(context).connectTimeout(Api.PATIENCE).build();
  }

  @Test
  void restIsEncrypted() throws Exception {
    HttpClient client = client(CERTIFICATE);
    HttpRequest request = HttpRequest.newBuilder(base.resolve("/q/health/live")).timeout(Api.PATIENCE).build();
    assertThat(base.getScheme()).isEqualTo("https");
    assertThat(client.send(request, BodyHandlers.ofString()).statusCode()).isEqualTo(200);
    HttpClient stranger = HttpClient.newBuilder().connectTimeout(Api.PATIENCE).build();
    assertThatThrownBy(() -> stranger.send(request, BodyHandlers.ofString())).as("who does not know the certificate").isInstanceOf(IOException.class);
  }

  @Test
  void grpcIsEncrypted() throws Exception {
    ManagedChannel channel = NettyChannelBuilder.forAddress("localhost", port)
        .sslContext(GrpcSslContexts.forClient().trustManager(CERTIFICATE.toFile()).build()).build();
    ManagedChannel plain = NettyChannelBuilder.forAddress("localhost", port).usePlaintext().build();
    try {
      Api.await("the model is loaded", () -> HealthGrpc.newBlockingStub(channel).check(HealthCheckRequest.getDefaultInstance()).getStatus() == ServingStatus.SERVING);
      assertThatThrownBy(() -> HealthGrpc.newBlockingStub(plain).withDeadlineAfter(5, TimeUnit.SECONDS).check(HealthCheckRequest.getDefaultInstance()))
          .isInstanceOf(StatusRuntimeException.class);
    } finally {
      channel.shutdownNow();
      plain.shutdownNow();
    }
  }
}
