package dev.nibble.serve;

import io.smallrye.config.SmallRyeConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.eclipse.microprofile.config.Config;

/** Finds certificates and keys that the servers can't use. The framework tells of some with a page of its own, and serves with others until somebody connects. */
final class TlsSettings {
  private static final String HTTP = "quarkus.http.ssl.certificate.";
  private static final String GRPC = "quarkus.grpc.server.ssl.";
  private static final String INSECURE = "quarkus.http.insecure-requests";
  private static final String GRPC_PLAIN_TEXT = "quarkus.grpc.server.plain-text";
  private static final String OFFLOAD = "nibble.offload.tls.";
  /** Settings of one certificate and of its key, which differ in their last word. */
  private static final Map<String, String> PAIRS = Map.of(HTTP + "files", HTTP + "key-files", GRPC + "certificate", GRPC + "key", OFFLOAD + "certificate", OFFLOAD + "key");
  // With dots for dashes, as the framework lists settings of the environment.
  private static final Pattern REGISTERED_CERTIFICATE = Pattern.compile("quarkus\\.tls\\.(.+\\.)?key\\.store\\.pem\\.[^.]+\\.cert");
  private static final Pattern TRUSTED = Pattern.compile("quarkus\\.tls\\.(.+\\.)?trust\\.store\\.pem\\.certs(\\[\\d+])?|nibble\\.offload\\.tls\\.trust");
  private static final Pattern STORE = Pattern.compile("quarkus\\.tls\\.(.+\\.)?(key|trust)\\.store\\.(p12|jks)\\.path"
      + "|quarkus\\.http\\.ssl\\.certificate\\.(key\\.store\\.file|trust\\.store\\.files?)|quarkus\\.grpc\\.server\\.ssl\\.(key|trust)\\.store");

  private final SmallRyeConfig settings;

  private TlsSettings(Config config) {
    settings = config.unwrap(SmallRyeConfig.class);
  }

  /** @throws IllegalArgumentException one line that names the setting, the file, and what is wrong with it */
  static void require(Config config) {
    new TlsSettings(config).require();
  }

  /** Whether REST has a certificate, and so a second port. */
  static boolean isHttps(Config config) {
    return new TlsSettings(config).isHttps();
  }

  private boolean isHttps() {
    return !files(HTTP + "files").isEmpty() || !files(HTTP + "key-store-file").isEmpty();
  }

  private void require() {
    if (files(GRPC + "certificate").isEmpty() && files(GRPC + "key-store").isEmpty()
        && text(GRPC_PLAIN_TEXT).filter(plain -> plain.strip().equalsIgnoreCase("false")).isPresent()) {
      // The framework's server would not open its port, and would not say so either.
      throw new IllegalArgumentException(GRPC_PLAIN_TEXT + " is false, but gRPC has no certificate; set " + GRPC + "certificate and " + GRPC + "key, or leave it out");
    }
    TreeSet<String> names = new TreeSet<>();
    settings.getPropertyNames().forEach(names::add);
    insecureRequests(names);
    PAIRS.forEach(this::pair);
    httpStore();
    grpcStores();
    for (String name : names) {
      String dotted = name.replace('-', '.');
      if (REGISTERED_CERTIFICATE.matcher(dotted).matches()) {
        pair(name, name.substring(0, name.length() - "cert".length()) + "key");
      } else if (TRUSTED.matcher(dotted).matches()) {
        files(name).forEach(file -> refuse(name, PemFiles.certificates(file).complaint()));
      } else if (STORE.matcher(dotted).matches()) {
        files(name).forEach(file -> refuse(name, PemFiles.unreadable(file)));
      }
    }
  }

  /** Without a certificate nothing would be left to listen on, and the framework ends with words of its own. */
  private void insecureRequests(Set<String> names) {
    Optional<String> refused = text(INSECURE).map(String::strip).filter(how -> how.equalsIgnoreCase("disabled") || how.equalsIgnoreCase("redirect"));
    if (refused.isPresent() && !isHttps() && text("quarkus.http.tls-configuration-name").isEmpty()
        && names.stream().map(name -> name.replace('-', '.')).noneMatch(name -> name.startsWith("quarkus.tls.") && name.contains("key.store."))) {
      throw new IllegalArgumentException(INSECURE + " is " + refused.get() + ", but REST has no certificate; set " + HTTP + "files and " + HTTP + "key-files, or leave it out");
    }
  }

  private void httpStore() {
    String store = HTTP + "key-store-";
    if (text(store + "password-key").isPresent() || text(store + "alias-password-key").isPresent() || text(store + "key-password-key").isPresent()) {
      return; // a provider of credentials knows them
    }
    keyStore(store + "file", text(store + "password"), text(store + "alias-password").or(() -> text(store + "key-password")));
  }

  /** @param ofKey the key's own password, where it has one */
  private void keyStore(String name, Optional<String> password, Optional<String> ofKey) {
    files(name).forEach(file -> refuse(name, StoreFiles.complaint(file, text(name + "-type"), password, Optional.of(ofKey.or(() -> password)))));
  }

  private void grpcStores() {
    String keys = GRPC + "key-store";
    keyStore(keys, text(keys + "-password"), text(keys + "-alias").flatMap(alias -> text(keys + "-alias-password")));
    String trust = GRPC + "trust-store";
    for (String file : files(trust)) {
      Optional<String> password = text(trust + "-password");
      refuse(trust, password.isEmpty() ? PemFiles.unreadable(file).or(() -> Optional.of(file + " needs " + trust + "-password"))
          : StoreFiles.complaint(file, text(trust + "-type"), password, Optional.empty()));
    }
  }

  private Optional<String> text(String name) {
    return settings.getOptionalValue(name, String.class);
  }

  private void pair(String certificateName, String keyName) {
    List<String> certificates = files(certificateName);
    List<String> keys = files(keyName);
    if (certificates.isEmpty() != keys.isEmpty() && !certificateName.startsWith(OFFLOAD)) {
      throw new IllegalArgumentException(certificateName + " and " + keyName + " go together; set both or neither");
    }
    certificates.forEach(file -> refuse(certificateName, PemFiles.unreadable(file)));
    keys.forEach(file -> refuse(keyName, PemFiles.unreadable(file)));
    if (certificates.size() != keys.size()) {
      return; // several for one: told by the framework, or of an accelerator by the check of its settings
    }
    for (int i = 0; i < certificates.size(); i++) {
      PemFiles.Certificates read = PemFiles.certificates(certificates.get(i));
      refuse(certificateName, read.complaint());
      refuse(keyName, PemFiles.keyComplaint(keys.get(i), certificates.get(i), read.all().getFirst()));
    }
  }

  /** The files of a setting; none where it is not set. */
  private List<String> files(String name) {
    List<String> files = new ArrayList<>();
    for (String file : text(name).orElse("").split(",")) {
      if (!file.isBlank()) {
        files.add(file.strip());
      }
    }
    return files;
  }

  private static void refuse(String name, Optional<String> complaint) {
    complaint.ifPresent(text -> {
      throw new IllegalArgumentException(name + ": " + text);
    });
  }
}
