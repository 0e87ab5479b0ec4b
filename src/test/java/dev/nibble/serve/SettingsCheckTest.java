package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.serve.api.Settings;
import dev.nibble.serve.auth.KeyFile;
import dev.nibble.serve.config.Setting;
import io.smallrye.config.EnvConfigSource;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.eclipse.microprofile.config.spi.ConfigSource;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Settings that can't be used, and what is said of them. */
final class SettingsCheckTest {
  private static void check(Map<String, String> settings) {
    check(new PropertiesConfigSource(settings, "test", 100));
  }

  private static void check(ConfigSource source) {
    SettingsCheck.require(new SmallRyeConfigBuilder().addDefaultInterceptors().withSources(source).build());
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "nibble.threads | abc | 1 to 1024",
      "nibble.threads | 0 | 1 to 1024",
      "nibble.threads | 1025 | 1 to 1024",
      "nibble.queue-capacity | 0 | an integer, 1 or more",
      "nibble.queue-capacity | 99999999999 | an integer, 1 or more",
      "nibble.default-max-tokens | -1 | an integer, 1 or more",
      "nibble.strict-max-tokens | yes | true, false",
      "nibble.special-tokens | sometimes | request, always, never",
      "nibble.grace-period | soon | a time such as 20s or 2m",
      "nibble.grace-period | -PT1S | a time such as 20s or 2m",
      "nibble.grace-period | ' ' | a time such as 20s or 2m",
      "nibble.grace-period | 99999999999s | a time such as 20s or 2m",
      "nibble.rest.max-body-size | ' ' | a size such as 500K or 4M, from 1 byte",
      "nibble.ready.queue-limit | -1 | an integer, 1 or more, or 0 for none",
      "nibble.ready.queue-limit | all | an integer, 1 or more, or 0 for none",
      "nibble.ready.canary-interval | often | a time such as 30s or 5m, or 0 for never",
      "nibble.ready.canary-timeout | 0 | a time such as 60s or 2m, above 0",
      "nibble.offload.key-file | /nowhere/key | a file that can be read, of one key",
      "nibble.live.stall | -PT1S | a time such as 120s or 5m, or 0 for any",
      "nibble.auth.reload-interval | 0s | a time such as 5s or 1m, above 0",
      "nibble.rest.max-body-size | many | a size such as 500K or 4M, from 1 byte",
      "nibble.rest.max-body-size | 0 | a size such as 500K or 4M, from 1 byte",
      "nibble.rest.body-timeout | 0 | a time such as 10s or 1m, above 0",
      "nibble.rest.stream-comment-interval | -PT1S | a time such as 10s, or 0 for none",
      "nibble.prepare.timeout | 0 | a time such as 10s or 1m, above 0",
      "nibble.prepare.memory | 7M | a size such as 32M, at least twice nibble.rest.max-body-size",
      "nibble.prepare.memory | some | a size such as 32M, at least twice nibble.rest.max-body-size",
      "nibble.rest.allowed-hosts | http://gateway/ | names such as gateway.example.com or *.example.com, several with commas between, or * for any",
      "nibble.connections.max | 0 | an integer, 1 or more",
      "nibble.connections.max-per-address | some | an integer, 1 or more",
      "nibble.connections.max-requests-per-connection | 0 | an integer, 1 or more",
      "nibble.connections.max-requests | -1 | an integer, 1 or more",
      "nibble.connections.max-resets | 0 | an integer, 1 or more",
      "nibble.connections.max-health-watches | 0 | an integer, 1 or more",
      "nibble.connections.head-timeout | 0s | a time such as 10s or 5m, above 0",
      "nibble.connections.idle-timeout | -PT1S | a time such as 10s or 5m, above 0",
      "nibble.connections.read-timeout | long | a time such as 10s or 5m, above 0",
      "nibble.connections.max-unfinished | 1M | a size such as 16M, from 4M",
      "nibble.kv.keys | 3 | 8, 4, 2, f16, f32",
      "nibble.kv.values | int8 | 8, 4, 2, f16, f32",
      "nibble.kv.residual | -1 | 0 to 65536",
      "nibble.kv.residual | 65537 | 0 to 65536",
      "nibble.kv.residual | few | 0 to 65536",
      "nibble.kv.memory | much | a size such as 64M or 2G, from 1 byte",
      "nibble.kv.memory | 0 | a size such as 64M or 2G, from 1 byte",
      "nibble.kv.rotate | maybe | true, false",
      "nibble.vector.bits | 64 | 512, 256, 128, 0 for no vectors",
      "nibble.offload.serve | maybe | true, false",
      "nibble.offload.policy | often | off, auto, prefer, require",
      "nibble.offload.hedge-delay | 0 | a time such as 500ms or 3s",
      "nibble.offload.power-budget | NaN | watts, above 0",
      "nibble.offload.targets | jetson:9100,,other:1 | HOST:PORT, such as jetson.local:9100 or [fd00::2]:9100, several with commas between",
      "quarkus.http.port | web | 1 to 65535, or 0 for any that is free",
      "quarkus.grpc.server.port | 65536 | 1 to 65535, or 0 for any that is free",
  })
  void refusesInOneLine(String name, String value, String allowed) {
    assertThatThrownBy(() -> check(Map.of(name, value))).isInstanceOf(IllegalArgumentException.class).hasMessage(name + " is \"" + value + "\"; allowed: " + allowed);
  }

  /** As by {@code NIBBLE_AUTH_KEYS_FILE=} of a variable that was never set: the framework would take it for not given, and let everybody in. */
  @Test
  void emptySettingsAreMistakes() {
    List<String> names = new ArrayList<>(Settings.ALL.stream().map(Setting::name).toList());
    assertThat(names).contains("nibble.auth.keys-file", "nibble.model", "nibble.pack-cache", "nibble.offload.policy", "nibble.offload.tls.trust", "nibble.kv.keys");
    names.addAll(List.of("quarkus.http.port", "quarkus.http.host", "quarkus.grpc.server.port", "quarkus.http.ssl.certificate.files", "quarkus.grpc.server.ssl.key",
        "quarkus.tls.key-store.pem.0.cert"));
    for (String name : names) {
      assertThatThrownBy(() -> check(Map.of(name, ""))).as(name).isInstanceOf(IllegalArgumentException.class).hasMessage(name + " is empty; give it a value, or leave it out");
      String variable = name.replaceAll("[.-]", "_").toUpperCase(Locale.ROOT);
      assertThatThrownBy(() -> check(new EnvConfigSource(Map.of(variable, ""), 300))).as(variable).isInstanceOf(IllegalArgumentException.class)
          .hasMessage(variable + " is empty; give it a value, or leave it out");
    }
  }

  /** Whoever gave a variable of the environment is told of that. */
  @Test
  void settingsHaveTheNamesTheyAreGivenBy() {
    assertThatThrownBy(() -> check(new EnvConfigSource(Map.of("NIBBLE_KV_RESIDUAL", "few"), 300))).isInstanceOf(IllegalArgumentException.class)
        .hasMessage("NIBBLE_KV_RESIDUAL is \"few\"; allowed: 0 to 65536");
    assertThatThrownBy(() -> check(Map.of("nibble.model", "${nowhere}"))).isInstanceOf(IllegalArgumentException.class)
        .hasMessage("nibble.model is \"${nowhere}\", which names a setting that is not there");
  }

  /** A property that overrides a variable that is empty counts. */
  @Test
  void whatIsOverriddenDoesNotMatter() {
    assertThatCode(() -> SettingsCheck.require(new SmallRyeConfigBuilder().withSources(new EnvConfigSource(Map.of("NIBBLE_RESIDUAL", "", "NIBBLE_KV_RESIDUAL", ""), 300),
        new PropertiesConfigSource(Map.of("nibble.kv.residual", "64", "nibble.residual", "-"), "test", 400)).build())).doesNotThrowAnyException();
  }

  @Test
  void aKeyFileMustBeThereAndRight(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("keys");
    assertThatThrownBy(() -> check(Map.of("nibble.auth.keys-file", file.toString()))).isInstanceOf(IllegalArgumentException.class)
        .hasMessage("nibble.auth.keys-file: " + file + ": no such file");
    Files.writeString(file, "# nobody yet\n\nthermostats everything sha256:12\n");
    assertThatThrownBy(() -> check(Map.of("nibble.auth.keys-file", file.toString()))).isInstanceOf(IllegalArgumentException.class)
        .hasMessage("nibble.auth.keys-file: " + file + " line 3: the scope is \"everything\"; allowed: generate, offload, metrics, with commas between");
    KeyFile.remove(Files.writeString(file, "thermostats generate sha256:" + "0".repeat(64)), "thermostats");
    assertThatCode(() -> check(Map.of("nibble.auth.keys-file", file.toString()))).doesNotThrowAnyException();
  }

  @Test
  void takesWhatCanBeUsed() {
    assertThatCode(() -> check(Map.of("nibble.ready.queue-limit", "0", "nibble.ready.canary-interval", "0", "nibble.ready.canary-timeout", "2m",
        "nibble.live.stall", "0", "nibble.auth.reload-interval", "PT0.1S"))).doesNotThrowAnyException();
    assertThatCode(() -> check(Map.of())).doesNotThrowAnyException();
    assertThatCode(() -> check(Map.of("nibble.threads", "4", "nibble.queue-capacity", "1", "nibble.grace-period", "90s", "nibble.kv.keys", "f16",
        "nibble.kv.values", "2", "nibble.kv.residual", "0", "nibble.kv.rotate", "true", "nibble.special-tokens", "always", "nibble.kv.memory", "2g"))).doesNotThrowAnyException();
  }
}
