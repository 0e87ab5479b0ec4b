package dev.nibble.serve.auth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.nibble.serve.api.AccessError;
import dev.nibble.serve.api.ServeConfig;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Keys, their file, and who is let in, look by look. */
final class AccessTest {
  private static final String KEY = "nib_of-the-thermostats";

  private final MeterRegistry registry = new SimpleMeterRegistry();

  @TempDir
  Path folder;

  private Access access(Path file) {
    ServeConfig config = ServeConfig.of(new SmallRyeConfigBuilder().withSources(new PropertiesConfigSource(Map.of("nibble.auth.keys-file", file.toString()), "test", 100)).build());
    return new Access(config, registry);
  }

  private static String line(String name, String key) {
    return ApiKey.of(name, Set.of(Scope.GENERATE), key, Optional.empty()).line() + "\n";
  }

  private static Optional<AccessError> asked(Access access, String authorization) {
    return Optional.ofNullable(
        catchThrowableOfType(AccessException.class, () -> access.require(Access.Wire.GRPC, authorization, Optional.of(Scope.GENERATE)))).map(AccessException::error);
  }

  private double failures() {
    return registry.get("nibble.auth.keys.reload.failures").counter().count();
  }

  @Test
  void aSecretsLinksAreSwapped() throws Exception {
    // As the kubelet does: keys -> ..data/keys, ..data -> ..first, replaced whole by ..data -> ..second.
    Files.writeString(Files.createDirectory(folder.resolve("..first")).resolve("keys"), line("first", KEY));
    Files.createSymbolicLink(folder.resolve("..data"), Path.of("..first"));
    Path file = Files.createSymbolicLink(folder.resolve("keys"), Path.of("..data/keys"));
    Access access = access(file);
    access.look();
    assertThat(asked(access, "Bearer " + KEY)).isEmpty();
    Files.writeString(Files.createDirectory(folder.resolve("..second")).resolve("keys"), line("secnd", "nib_another-one-of-them"));
    Files.createSymbolicLink(folder.resolve("..data_tmp"), Path.of("..second"));
    Files.move(folder.resolve("..data_tmp"), folder.resolve("..data"), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    access.look();
    assertThat(asked(access, "Bearer " + KEY)).contains(AccessError.API_KEY_INVALID);
    assertThat(asked(access, "Bearer nib_another-one-of-them")).isEmpty();
    assertThat(failures()).isZero();
  }

  @Test
  void everyLookAtABrokenFileCounts() throws Exception {
    Path file = Files.writeString(folder.resolve("keys"), line("first", KEY));
    Access access = access(file);
    assertThat(access.summary()).isEqualTo("1 loaded");
    Files.writeString(file, line("first", KEY) + line("first", KEY));
    access.look();
    access.look();
    assertThat(failures()).isEqualTo(2);
    assertThat(access.summary()).isEqualTo("1 loaded, and the file as it is now can't be used");
    assertThat(asked(access, "Bearer " + KEY)).isEmpty();
    Files.writeString(file, line("first", KEY));
    access.look();
    assertThat(failures()).isEqualTo(2);
    assertThat(access.summary()).isEqualTo("1 loaded");
  }

  @Test
  void aServiceDoesNotStartOpen() {
    assertThatThrownBy(() -> access(folder.resolve("none"))).isInstanceOf(IllegalStateException.class).hasMessageEndingWith("none: no such file");
  }

  @Test
  void headersAreReadAsOthersReadThem() throws Exception {
    Access access = access(Files.writeString(folder.resolve("keys"), line("first", KEY)));
    for (String good : List.of("Bearer " + KEY, "bearer " + KEY, "BEARER   " + KEY + " ")) {
      assertThat(asked(access, good)).as(good).isEmpty();
    }
    assertThat(asked(access, null)).contains(AccessError.API_KEY_MISSING);
    for (String none : List.of("", KEY, "Bearer", "Bearer" + KEY, "Basic " + KEY)) {
      assertThat(asked(access, none)).as(none).contains(AccessError.API_KEY_MISSING);
    }
    for (String wrong : List.of("Bearer ", "Bearer x", "Bearer " + KEY + ",x", "Bearer " + KEY.toUpperCase(java.util.Locale.ROOT))) {
      assertThat(asked(access, wrong)).as(wrong).contains(AccessError.API_KEY_INVALID);
    }
    assertThat(registry.get("nibble.auth.rejected").tags("wire", "grpc", "reason", "missing").counter().count()).isEqualTo(6);
    assertThat(registry.get("nibble.auth.rejected").tags("wire", "grpc", "reason", "invalid").counter().count()).isEqualTo(4);
  }

  @Test
  void theLastDayIsAWholeOne() throws Exception {
    LocalDate today = LocalDate.now(ZoneOffset.UTC);
    ApiKey key = ApiKey.of("a", Set.of(Scope.GENERATE), KEY, Optional.of(today));
    assertThat(key.expired(today)).isFalse();
    assertThat(key.expired(today.plusDays(1))).isTrue();
    ApiKey past = ApiKey.of("a", Set.of(Scope.GENERATE), KEY, Optional.of(today.minusDays(2)));
    assertThat(asked(access(Files.writeString(folder.resolve("keys"), past.line())), "Bearer " + KEY)).contains(AccessError.API_KEY_EXPIRED);
  }

  @Test
  void linesThatAreNoKeysAreToldWithoutWhatMayBeOne() throws Exception {
    String hash = "a".repeat(64);
    for (String wrong : List.of("name", "name generate", "name generate " + hash, "name generate sha256:" + KEY, "name generate sha256:" + hash.toUpperCase(java.util.Locale.ROOT),
        KEY + " generate sha256:" + hash, "name " + KEY + " sha256:" + hash, "name generate, sha256:" + hash, "na/me generate sha256:" + hash,
        "name generate sha256:" + hash + " expires:" + KEY, "name generate sha256:" + hash + " 2027-01-01", "name generate sha256:" + hash + " expires:2027-02-30",
        "name generate sha256:" + hash + " expires:2027-01-01 more", "generate sha256:" + hash)) {
      Path file = Files.writeString(folder.resolve("keys"), "# first line\n" + wrong + "\n");
      assertThatThrownBy(() -> KeyFile.read(file)).as(wrong).isInstanceOf(InvalidKeyFileException.class).hasMessageStartingWith(file + " line 2: ")
          .hasMessageNotContaining(KEY).hasMessageNotContaining("\n");
    }
  }

  @Test
  void linesAreReadAsTheyAreWritten() throws Exception {
    ApiKey key = ApiKey.of("a.b-c_9", Set.of(Scope.values()), KEY, Optional.of(LocalDate.of(2027, 1, 31)));
    assertThat(key.line()).matches("a\\.b-c_9 generate,offload,metrics sha256:[0-9a-f]{64} expires:2027-01-31");
    assertThat(ApiKey.parse("  " + key.line().replace(" ", " \t ") + " ")).isEqualTo(key);
    Path file = folder.resolve("keys");
    KeyFile.add(file, key, () -> {});
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
    KeyFile.add(file, ApiKey.of("other", Set.of(Scope.METRICS), "nib_x", Optional.empty()), () -> {});
    assertThat(KeyFile.read(file).keys()).extracting(ApiKey::name).containsExactly("a.b-c_9", "other");
    KeyFile.remove(file, "a.b-c_9");
    assertThat(KeyFile.read(file).keys()).extracting(ApiKey::name).containsExactly("other");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-r-----");
    try (var files = Files.list(folder)) {
      assertThat(files).containsExactly(file);
    }
  }

  @Test
  void aLinkStaysOneAndAFileThatCantBeChangedStaysAsItIs() throws Exception {
    ApiKey key = ApiKey.of("a", Set.of(Scope.METRICS), "nib_x", Optional.empty());
    Path real = Files.createDirectory(folder.resolve("real")).resolve("keys");
    KeyFile.add(real, ApiKey.of("first", Set.of(Scope.METRICS), "nib_y", Optional.empty()), () -> {});
    Path link = Files.createSymbolicLink(folder.resolve("keys"), Path.of("real/keys"));
    KeyFile.add(link, key, () -> {});
    assertThat(link).isSymbolicLink();
    assertThat(KeyFile.read(real).keys()).extracting(ApiKey::name).containsExactly("first", "a");
    Path nowhere = Files.createSymbolicLink(folder.resolve("nowhere"), Path.of("gone/keys"));
    assertThatThrownBy(() -> KeyFile.add(nowhere, key, () -> {})).isInstanceOf(InvalidKeyFileException.class).hasMessage(nowhere + " is a link to gone/keys, which is not there");
    Path inNoFolder = folder.resolve("none").resolve("keys");
    assertThatThrownBy(() -> KeyFile.add(inNoFolder, key, () -> {})).isInstanceOf(InvalidKeyFileException.class)
        .hasMessage(inNoFolder + " can't be written: there is no folder " + inNoFolder.getParent());
    String before = Files.readString(real);
    assertThatThrownBy(() -> KeyFile.add(link, key, () -> {})).hasMessageContaining("the name \"a\" is there twice");
    assertThat(real).hasContent(before);
    try (var files = Files.list(real.getParent())) {
      assertThat(files).containsExactly(real);
    }
  }

  @Test
  void whatKilledProgramsLeftIsRemoved() throws Exception {
    Path file = folder.resolve("keys");
    Files.createFile(folder.resolve(".keys.3b0c.part"));
    Files.createFile(folder.resolve(".keys.lock"));
    Path others = Files.createFile(folder.resolve(".other.part"));
    KeyFile.add(file, ApiKey.of("a", Set.of(Scope.METRICS), "nib_x", Optional.empty()), () -> {});
    try (var files = Files.list(folder)) {
      assertThat(files).containsExactlyInAnyOrder(file, others);
    }
  }

  @Test
  void keysAreNeverTheSame() {
    Set<String> keys = new HashSet<>();
    for (int i = 0; i < 1000; i++) {
      String key = ApiKey.random();
      assertThat(key).matches("nib_[A-Za-z0-9_-]{43}");
      keys.add(key);
    }
    assertThat(keys).hasSize(1000);
  }
}
