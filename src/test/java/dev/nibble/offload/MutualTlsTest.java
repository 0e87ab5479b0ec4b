package dev.nibble.offload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.nibble.engine.OffloadPolicy;
import dev.nibble.engine.RecordingListener;
import dev.nibble.offload.FaultySidecar.Fault;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An accelerator that asks for certificates; those are made by openssl. */
final class MutualTlsTest {
  @TempDir
  private Path folder;

  @BeforeEach
  void makeCertificates() throws Exception {
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/openssl")), "openssl is not installed");
    authority("ca");
    authority("other-ca");
    certificate("server", "ca", "localhost");
    certificate("client", "ca", "gateway");
    certificate("stranger", "other-ca", "gateway");
    certificate("elsewhere", "ca", "another-host");
  }

  private void openssl(String... arguments) throws IOException, InterruptedException {
    List<String> command = new java.util.ArrayList<>(List.of("openssl"));
    command.addAll(List.of(arguments));
    Process process = new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).as(said).isZero();
  }

  private void authority(String name) throws Exception {
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-out", name + ".pem", "-days", "2", "-subj", "/CN=" + name);
  }

  private void certificate(String name, String authority, String host) throws Exception {
    Files.writeString(folder.resolve("san"), "subjectAltName=DNS:" + host + "\n");
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name);
    openssl("x509", "-req", "-in", name + ".csr", "-CA", authority + ".pem", "-CAkey", authority + ".key", "-CAcreateserial", "-out", name + ".pem", "-days", "2", "-extfile", "san");
  }

  private Optional<OffloadSettings.Tls> tls(String trust, String certificate) {
    return Optional.of(new OffloadSettings.Tls(folder.resolve(trust + ".pem"), Optional.ofNullable(certificate).map(name -> folder.resolve(name + ".pem")),
        Optional.ofNullable(certificate).map(name -> folder.resolve(name + ".key"))));
  }

  @Test
  void theRightCertificatesAreTaken() throws Exception {
    try (FaultySidecar sidecar = new FaultySidecar(Fault.NONE, Optional.of(folder));
        Gateway gateway = new Gateway(Gateway.settings(tls("ca", "client"), sidecar.target()))) {
      gateway.awaitState(0, AcceleratorState.READY);
      RecordingListener listener = gateway.submit(OffloadPolicy.REQUIRE);
      assertThat(listener.text()).isEqualTo(gateway.submit(OffloadPolicy.OFF).text());
    }
  }

  @Test
  void noneOrAStrangersIsRefusedThere() throws Exception {
    for (String certificate : new String[] {null, "stranger"}) {
      try (FaultySidecar sidecar = new FaultySidecar(Fault.NONE, Optional.of(folder));
          Gateway gateway = new Gateway(Gateway.settings(tls("ca", certificate), sidecar.target()))) {
        gateway.awaitState(0, AcceleratorState.UNREACHABLE);
        assertThat(gateway.submit(OffloadPolicy.PREFER).result().placement().orElseThrow().reason()).contains("is unreachable");
      }
    }
  }

  @Test
  void oneThatATrustedAuthorityDidNotSignIsRefusedHere() throws Exception {
    try (FaultySidecar sidecar = new FaultySidecar(Fault.NONE, Optional.of(folder));
        Gateway gateway = new Gateway(Gateway.settings(tls("other-ca", "client"), sidecar.target()))) {
      gateway.awaitState(0, AcceleratorState.UNREACHABLE);
      assertThat(gateway.status(0).detail()).containsIgnoringCase("certif");
    }
  }

  @Test
  void anothersNameIsRefusedHere() throws Exception {
    Files.copy(folder.resolve("elsewhere.pem"), folder.resolve("server.pem"), StandardCopyOption.REPLACE_EXISTING);
    Files.copy(folder.resolve("elsewhere.key"), folder.resolve("server.key"), StandardCopyOption.REPLACE_EXISTING);
    try (FaultySidecar sidecar = new FaultySidecar(Fault.NONE, Optional.of(folder));
        Gateway gateway = new Gateway(Gateway.settings(tls("ca", "client"), sidecar.target()))) {
      gateway.awaitState(0, AcceleratorState.UNREACHABLE);
      assertThat(gateway.status(0).detail()).contains("localhost");
    }
  }

  @Test
  void plainTextIsRefusedThere() throws Exception {
    try (FaultySidecar sidecar = new FaultySidecar(Fault.NONE, Optional.of(folder)); Gateway gateway = new Gateway(Gateway.settings(sidecar.target()))) {
      gateway.awaitState(0, AcceleratorState.UNREACHABLE);
    }
  }

  @Test
  void newCertificatesAreReadWithoutARestart() throws Exception {
    Path mine = folder.resolve("mine.pem");
    Path key = folder.resolve("mine.key");
    Files.copy(folder.resolve("stranger.pem"), mine);
    Files.copy(folder.resolve("stranger.key"), key);
    try (FaultySidecar sidecar = new FaultySidecar(Fault.NONE, Optional.of(folder));
        Gateway gateway = new Gateway(Gateway.settings(tls("ca", "mine"), sidecar.target()))) {
      gateway.awaitState(0, AcceleratorState.UNREACHABLE);
      Files.copy(folder.resolve("client.pem"), mine, StandardCopyOption.REPLACE_EXISTING);
      Files.copy(folder.resolve("client.key"), key, StandardCopyOption.REPLACE_EXISTING);
      // Whatever the file system's clock makes of two copies in a row.
      Files.setLastModifiedTime(mine, FileTime.from(Files.getLastModifiedTime(mine).toInstant().plusSeconds(2)));
      gateway.awaitState(0, AcceleratorState.READY);
      assertThat(gateway.submit(OffloadPolicy.REQUIRE).result().placement().orElseThrow().accelerator()).isEqualTo(sidecar.target());
    }
  }
}
