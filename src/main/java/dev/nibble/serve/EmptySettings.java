package dev.nibble.serve;

import io.smallrye.config.ConfigValue;
import io.smallrye.config.SmallRyeConfig;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import org.eclipse.microprofile.config.Config;

/**
 * Finds settings that are given and empty, such as {@code NIBBLE_AUTH_KEYS_FILE=} of a variable that was never set. The framework takes some of them for not
 * given, so that a service told to ask for keys would let everybody in, and ends with a page of its own words for others.
 */
final class EmptySettings {
  private static final List<String> PREFIXES = List.of("nibble.", "quarkus.http.", "quarkus.grpc.server.", "quarkus.tls.");

  private static final String ENVIRONMENT = "EnvConfigSource"; // the name that the framework gives this source begins so

  private EmptySettings() {}

  /** @throws IllegalArgumentException one line that names the first such setting, in alphabetical order */
  static void require(Config config) {
    SmallRyeConfig settings = config.unwrap(SmallRyeConfig.class);
    TreeSet<String> names = new TreeSet<>();
    settings.getPropertyNames().forEach(names::add);
    for (String name : names) {
      if (PREFIXES.stream().anyMatch(name::startsWith)) {
        ConfigValue value = settings.getConfigValue(name);
        if (value.getRawValue() != null && value.getRawValue().isEmpty()) {
          boolean fromEnvironment = String.valueOf(value.getConfigSourceName()).startsWith(ENVIRONMENT);
          throw new IllegalArgumentException((fromEnvironment ? variable(name) : name) + " is empty; give it a value, or leave it out");
        }
      }
    }
  }

  /** What a setting is called in the environment, whose names the framework lists in lower case and with dots alone. */
  private static String variable(String name) {
    return name.replaceAll("[^A-Za-z0-9]", "_").toUpperCase(Locale.ROOT);
  }
}
