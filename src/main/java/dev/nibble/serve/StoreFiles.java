package dev.nibble.serve;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Collections;
import java.util.Locale;
import java.util.Optional;
import javax.net.ssl.KeyManagerFactory;

/** Says what is wrong with key stores and trust stores: the gRPC server would not open its port for them, and would not say so either. */
final class StoreFiles {
  private StoreFiles() {}

  /**
   * What keeps a store from being used.
   *
   * @param type jks or pkcs12; by the file's name where it is not given
   * @param keyPassword of the store's private key; empty for a store of certificates
   */
  static Optional<String> complaint(String file, Optional<String> type, Optional<String> password, Optional<Optional<String>> keyPassword) {
    Optional<String> unreadable = PemFiles.unreadable(file);
    if (unreadable.isPresent()) {
      return unreadable;
    }
    String kind = type.map(text -> text.toLowerCase(Locale.ROOT)).orElse(file.endsWith(".p12") || file.endsWith(".pkcs12") || file.endsWith(".pfx") ? "pkcs12" : "jks");
    if (!kind.equals("pkcs12") && !kind.equals("jks")) {
      return Optional.of(file + " is given as a store of type " + kind + "; allowed: jks, pkcs12");
    }
    try (InputStream in = Files.newInputStream(Path.of(file))) {
      KeyStore store = KeyStore.getInstance(kind);
      store.load(in, characters(password));
      if (keyPassword.isEmpty()) {
        return Optional.empty();
      }
      boolean keys = false;
      for (String alias : Collections.list(store.aliases())) {
        keys |= store.isKeyEntry(alias);
      }
      KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm()).init(store, characters(keyPassword.get()));
      return keys ? Optional.empty() : Optional.of(file + " holds no private key");
    } catch (GeneralSecurityException | IOException | RuntimeException unusable) {
      return Optional.of(file + " can't be read as a store of type " + kind + " with " + (password.isEmpty() ? "no password" : "its password"));
    }
  }

  private static char[] characters(Optional<String> password) {
    return password.map(String::toCharArray).orElse(null);
  }
}
