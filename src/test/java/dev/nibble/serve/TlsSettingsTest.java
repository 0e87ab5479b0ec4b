package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Certificates and keys as operators have them, made by openssl: what can be used is taken, and what can't is told in a line before anything starts. */
final class TlsSettingsTest {
  private static final String HTTP = "quarkus.http.ssl.certificate.";

  @TempDir
  Path folder;

  private static void check(Map<String, String> settings) {
    TlsSettings.require(new SmallRyeConfigBuilder().addDiscoveredConverters().withSources(new PropertiesConfigSource(settings, "test", 100)).build());
  }

  private void refuses(String part, String... settings) {
    assertThatThrownBy(() -> check(pairs(settings))).as(List.of(settings).toString()).isInstanceOf(IllegalArgumentException.class).hasMessageContaining(part)
        .hasMessageStartingWith(settings[0].substring(0, settings[0].lastIndexOf('.'))).hasMessageNotContaining("\n");
  }

  private static Map<String, String> pairs(String... settings) {
    Map<String, String> all = new LinkedHashMap<>();
    for (int i = 0; i < settings.length; i += 2) {
      all.put(settings[i], settings[i + 1]);
    }
    return all;
  }

  private void openssl(String... words) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("openssl"));
    command.addAll(List.of(words));
    int status;
    try {
      status = new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).redirectOutput(folder.resolve("log").toFile()).start().waitFor();
    } catch (IOException missing) {
      status = -1;
    }
    Assumptions.assumeTrue(status == 0, "skipped: openssl can't make what is asked for here");
  }

  private void made(String name, String algorithm) throws Exception {
    List<String> words = new ArrayList<>(List.of("req", "-x509", "-newkey"));
    switch (algorithm) {
      case "ec" -> words.addAll(List.of("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"));
      default -> words.add(algorithm);
    }
    words.addAll(List.of("-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", name + ".key", "-out", name + ".pem"));
    openssl(words.toArray(String[]::new));
  }

  private String at(String name) {
    return folder.resolve(name).toString();
  }

  @ParameterizedTest
  @ValueSource(strings = {"ec", "rsa:2048", "ed25519"})
  void aCertificateAndItsKeyAreTaken(String algorithm) throws Exception {
    made("own", algorithm);
    made("other", algorithm);
    String[] names = {HTTP + "files", HTTP + "key-files", "quarkus.grpc.server.ssl.certificate", "quarkus.grpc.server.ssl.key",
        "quarkus.tls.key-store.pem.0.cert", "quarkus.tls.key-store.pem.0.key", "quarkus.tls.mine.key-store.pem.a.cert", "quarkus.tls.mine.key-store.pem.a.key",
        "quarkus.tls.key.store.pem.0.cert", "quarkus.tls.key.store.pem.0.key"};
    for (int i = 0; i < names.length; i += 2) {
      String certificate = names[i];
      String key = names[i + 1];
      assertThatCode(() -> check(pairs(certificate, at("own.pem"), key, at("own.key")))).as(certificate).doesNotThrowAnyException();
      refuses("other.key is not the key of the certificate in " + at("own.pem"), certificate, at("own.pem"), key, at("other.key"));
      refuses("nowhere.pem: no such file", certificate, at("nowhere.pem"), key, at("own.key"));
      refuses("nowhere.key: no such file", certificate, at("own.pem"), key, at("nowhere.key"));
      refuses("own.pem holds no private key", certificate, at("own.pem"), key, at("own.pem"));
      refuses("own.key holds no certificate", certificate, at("own.key"), key, at("own.key"));
      refuses(" is a folder", certificate, folder.toString(), key, at("own.key"));
      refuses("go together; set both or neither", certificate, at("own.pem"));
    }
  }

  @Test
  void keysInTheirAlgorithmsOwnFormAreTakenToo() throws Exception {
    made("ec", "ec");
    openssl("ec", "-in", "ec.key", "-out", "ec.own.key");
    made("rsa", "rsa:2048");
    openssl("rsa", "-traditional", "-in", "rsa.key", "-out", "rsa.own.key");
    for (String name : List.of("ec", "rsa")) {
      assertThat(folder.resolve(name + ".own.key")).content().contains("BEGIN " + name.toUpperCase(Locale.ROOT) + " PRIVATE KEY");
      assertThatCode(() -> check(pairs(HTTP + "files", at(name + ".pem"), HTTP + "key-files", at(name + ".own.key")))).as(name).doesNotThrowAnyException();
    }
    refuses("rsa.own.key is not the key of the certificate in " + at("ec.pem"), HTTP + "files", at("ec.pem"), HTTP + "key-files", at("rsa.own.key"));
    openssl("pkcs8", "-topk8", "-in", "ec.key", "-passout", "pass:word", "-out", "locked.key");
    refuses("locked.key holds an encrypted key", HTTP + "files", at("ec.pem"), HTTP + "key-files", at("locked.key"));
    Path cut = folder.resolve("cut.key");
    String key = Files.readString(folder.resolve("ec.key"));
    Files.writeString(cut, key.substring(0, key.length() / 2) + "\n-----END PRIVATE KEY-----\n");
    refuses("cut.key is not the key of the certificate in", HTTP + "files", at("ec.pem"), HTTP + "key-files", cut.toString());
  }

  /** The framework's gRPC server waits for ever with one that it can't read. */
  @Test
  void storesOfGrpcAreTried() throws Exception {
    made("own", "ec");
    openssl("pkcs12", "-export", "-in", "own.pem", "-inkey", "own.key", "-name", "own", "-passout", "pass:word", "-out", "own.p12");
    openssl("pkcs12", "-export", "-nokeys", "-in", "own.pem", "-passout", "pass:word", "-out", "keyless.p12");
    Files.writeString(folder.resolve("text.jks"), "this is no store");
    String keys = "quarkus.grpc.server.ssl.key-store";
    String trust = "quarkus.grpc.server.ssl.trust-store";
    String tls = "quarkus.grpc.server.plain-text";
    assertThatCode(() -> check(pairs(keys, at("own.p12"), keys + "-password", "word", tls, "false"))).doesNotThrowAnyException();
    assertThatCode(() -> check(pairs(keys, at("own.p12"), keys + "-password", "word", keys + "-type", "PKCS12", keys + "-alias", "own"))).doesNotThrowAnyException();
    assertThatCode(() -> check(pairs(trust, at("keyless.p12"), trust + "-password", "word"))).doesNotThrowAnyException();
    refuses("own.p12 can't be read as a store of type pkcs12 with its password", keys, at("own.p12"), keys + "-password", "other");
    refuses("own.p12 can't be read as a store of type pkcs12 with no password", keys, at("own.p12"));
    refuses("keyless.p12 holds no private key", keys, at("keyless.p12"), keys + "-password", "word");
    refuses("text.jks can't be read as a store of type jks with its password", keys, at("text.jks"), keys + "-password", "word");
    refuses("is given as a store of type pem; allowed: jks, pkcs12", keys, at("own.p12"), keys + "-type", "pem");
    refuses("text.jks needs " + trust + "-password", trust, at("text.jks"));
    refuses("text.jks can't be read as a store of type jks with its password", trust, at("text.jks"), trust + "-password", "word");
    refuses("is false, but gRPC has no certificate", tls, "false");
  }

  @Test
  void storesOfRestAreTried() throws Exception {
    made("own", "ec");
    openssl("pkcs12", "-export", "-in", "own.pem", "-inkey", "own.key", "-name", "own", "-passout", "pass:word", "-out", "own.p12");
    Files.writeString(folder.resolve("text.jks"), "this is no store");
    String store = HTTP + "key-store-file";
    String password = HTTP + "key-store-password";
    assertThatCode(() -> check(pairs(store, at("own.p12"), password, "word", "quarkus.http.insecure-requests", "disabled"))).doesNotThrowAnyException();
    assertThatCode(() -> check(pairs(store, at("own.p12"), HTTP + "key-store-password-key", "of-the-vault"))).doesNotThrowAnyException();
    refuses("own.p12 can't be read as a store of type pkcs12 with its password", store, at("own.p12"), password, "other");
    refuses("text.jks can't be read as a store of type jks with its password", store, at("text.jks"), password, "word");
  }

  @Test
  void onlyAServiceWithACertificateCanDoWithoutPlainRequests() throws Exception {
    made("own", "ec");
    String insecure = "quarkus.http.insecure-requests";
    refuses("is disabled, but REST has no certificate", insecure, "disabled");
    refuses("is redirect, but REST has no certificate", insecure, "redirect");
    assertThatCode(() -> check(pairs(insecure, "enabled"))).doesNotThrowAnyException();
    assertThatCode(() -> check(pairs(insecure, "disabled", HTTP + "files", at("own.pem"), HTTP + "key-files", at("own.key")))).doesNotThrowAnyException();
    assertThatCode(() -> check(pairs(insecure, "disabled", "quarkus.tls.key-store.pem.0.cert", at("own.pem"), "quarkus.tls.key-store.pem.0.key", at("own.key"))))
        .doesNotThrowAnyException();
  }

  @Test
  void storesAndTrustAreLookedAt() throws Exception {
    made("own", "ec");
    for (String store : List.of("quarkus.tls.key-store.p12.path", "quarkus.tls.mine.trust-store.jks.path", HTTP + "key-store-file", HTTP + "trust-store-file",
        "quarkus.grpc.server.ssl.key-store", "quarkus.tls.trust-store.pem.certs", "nibble.offload.tls.trust")) {
      refuses("nowhere: no such file", store, at("nowhere"));
    }
    assertThatCode(() -> check(pairs("quarkus.tls.trust-store.pem.certs", at("own.pem"), "nibble.offload.tls.trust", at("own.pem")))).doesNotThrowAnyException();
    refuses("own.key holds no certificate", "nibble.offload.tls.trust", at("own.key"));
  }
}
