package dev.nibble.serve;

import dev.nibble.serve.auth.ApiKey;
import dev.nibble.serve.auth.Scope;
import io.quarkus.test.junit.QuarkusTestProfile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** A service that asks for keys, has room for one waiting request, and takes neither a max_tokens that is too large nor names of special tokens. */
public final class Keyed implements QuarkusTestProfile {
  /** Its key file. */
  public static final Path FILE = Path.of("target/test-keys/keys").toAbsolutePath();
  public static final String GENERATE = "nib_test-generate";
  public static final String OFFLOAD = "nib_test-offload";
  public static final String METRICS = "nib_test-metrics";
  public static final String EXPIRED = "nib_test-expired";
  /** How many keys there are. */
  public static final int KEYS = 4;

  @Override
  public Map<String, String> getConfigOverrides() {
    writeKeys();
    return Map.of("nibble.auth.keys-file", FILE.toString(), "nibble.auth.reload-interval", "PT0.1S", "nibble.queue-capacity", "1",
        "nibble.strict-max-tokens", "true", "nibble.special-tokens", "never");
  }

  /** Puts these keys in the file, and no others. */
  public static void writeKeys() {
    write("# keys of tests\n\n" + line("generate", Scope.GENERATE, GENERATE) + line("offload", Scope.OFFLOAD, OFFLOAD) + line("metrics", Scope.METRICS, METRICS)
        + ApiKey.of("expired", Set.of(Scope.values()), EXPIRED, Optional.of(LocalDate.of(2026, 1, 31))).line() + "\n");
  }

  public static String line(String name, Scope scope, String key) {
    return ApiKey.of(name, Set.of(scope), key, Optional.empty()).line() + "\n";
  }

  public static void write(String text) {
    try {
      Files.createDirectories(FILE.getParent());
      Files.writeString(FILE, text);
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }
}
