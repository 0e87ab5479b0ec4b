package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Settings that can't be used, and what is said of them. */
final class SettingsCheckTest {
  private static void check(Map<String, String> settings) {
    SettingsCheck.require(new SmallRyeConfigBuilder().addDiscoveredConverters().withSources(new PropertiesConfigSource(settings, "test", 100)).build());
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "nibble.threads | abc | 1 to 1024",
      "nibble.threads | 0 | 1 to 1024",
      "nibble.threads | 1025 | 1 to 1024",
      "nibble.queue-capacity | 0 | an integer, 1 or more",
      "nibble.queue-capacity | 99999999999 | an integer, 1 or more",
      "nibble.default-max-tokens | -1 | an integer, 1 or more",
      "nibble.grace-period | soon | a time such as 20s or 2m",
      "nibble.grace-period | -PT1S | a time such as 20s or 2m",
      "nibble.rest.max-body-size | many | a size such as 500K or 4M, from 1 byte",
      "nibble.rest.max-body-size | 0 | a size such as 500K or 4M, from 1 byte",
      "nibble.kv.keys | 3 | 8, 4, 2, f16, f32",
      "nibble.kv.values | int8 | 8, 4, 2, f16, f32",
      "nibble.kv.residual | -1 | 0 to 65536",
      "nibble.kv.residual | 65537 | 0 to 65536",
      "nibble.kv.residual | few | 0 to 65536",
      "nibble.kv.memory | much | a size such as 64M or 2G, from 1 byte",
      "nibble.kv.memory | 0 | a size such as 64M or 2G, from 1 byte",
      "nibble.kv.rotate | maybe | true, false",
  })
  void refusesInOneLine(String name, String value, String allowed) {
    assertThatThrownBy(() -> check(Map.of(name, value))).isInstanceOf(IllegalArgumentException.class).hasMessage(name + " is \"" + value + "\"; allowed: " + allowed);
  }

  @Test
  void takesWhatCanBeUsed() {
    assertThatCode(() -> check(Map.of())).doesNotThrowAnyException();
    assertThatCode(() -> check(Map.of("nibble.threads", "4", "nibble.queue-capacity", "1", "nibble.grace-period", "90s", "nibble.kv.keys", "f16",
        "nibble.kv.values", "2", "nibble.kv.residual", "0", "nibble.kv.rotate", "true", "nibble.kv.memory", "2g"))).doesNotThrowAnyException();
  }
}
