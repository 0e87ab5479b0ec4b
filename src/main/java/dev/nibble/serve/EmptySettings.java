package dev.nibble.serve;

import io.smallrye.config.ConfigValue;
import io.smallrye.config.SmallRyeConfig;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
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

  /** @throws IllegalArgumentException one line that names such a setting */
  static void require(Config config) {
    given(System.getProperties().stringPropertyNames(), System.getenv());
    SmallRyeConfig settings = config.unwrap(SmallRyeConfig.class);
    TreeSet<String> names = new TreeSet<>();
    settings.getPropertyNames().forEach(names::add);
    for (String name : names) {
      if (PREFIXES.stream().anyMatch(name::startsWith)) {
        ConfigValue value = settings.getConfigValue(name);
        if (value.getRawValue() != null && value.getRawValue().isEmpty()) {
          boolean fromEnvironment = String.valueOf(value.getConfigSourceName()).startsWith(ENVIRONMENT);
          throw empty(fromEnvironment ? variable(name) : name);
        }
      }
    }
  }

  /** What the process itself was given: before a native executable's framework has started, its configuration knows the names of the build's environment alone. */
  private static void given(Set<String> properties, Map<String, String> environment) {
    Set<String> overridden = new HashSet<>();
    for (String property : new TreeSet<>(properties)) {
      if (PREFIXES.stream().anyMatch(property::startsWith) && System.getProperty(property, "-").isEmpty()) {
        throw empty(property);
      }
      overridden.add(variable(property));
    }
    new TreeMap<>(environment).forEach((name, value) -> {
      if (value.isEmpty() && !overridden.contains(name) && PREFIXES.stream().map(EmptySettings::variable).anyMatch(name::startsWith)) {
        throw empty(name);
      }
    });
  }

  private static IllegalArgumentException empty(String name) {
    return new IllegalArgumentException(name + " is empty; give it a value, or leave it out");
  }

  /** What a setting is called in the environment, whose names the framework lists in lower case and with dots alone. */
  private static String variable(String name) {
    return name.replaceAll("[^A-Za-z0-9]", "_").toUpperCase(Locale.ROOT);
  }
}
