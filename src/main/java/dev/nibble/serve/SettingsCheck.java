package dev.nibble.serve;

import dev.nibble.serve.api.Admission;
import dev.nibble.serve.api.Settings;
import dev.nibble.serve.auth.InvalidKeyFileException;
import dev.nibble.serve.auth.KeyFile;
import dev.nibble.serve.config.Setting;
import io.quarkus.runtime.configuration.MemorySize;
import io.smallrye.config.ConfigValue;
import io.smallrye.config.SmallRyeConfig;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.eclipse.microprofile.config.Config;

/**
 * Finds settings that can't be used. To be asked before the framework starts, which would tell of the first one in words of its own;
 * the service asks again when it loads its model.
 */
public final class SettingsCheck {
  private static final String OWN = "nibble.";
  private static final List<String> PREFIXES = List.of(OWN, "quarkus.http.", "quarkus.grpc.server.", "quarkus.tls.");

  private SettingsCheck() {}

  /** Checks {@link Settings#ALL all settings}. @throws IllegalArgumentException one line that names the setting, its value, and what is allowed */
  public static void require(Config config) {
    empty(config);
    TlsSettings.require(config);
    Settings.ALL.forEach(setting -> setting.given(config));
    keys(config);
    long bodies = Admission.BODIES * Settings.MAX_BODY_SIZE.in(config).asLongValue();
    Settings.PREPARE_MEMORY.given(config).map(MemorySize::asLongValue).filter(size -> size < bodies).ifPresent(less -> {
      throw Settings.PREPARE_MEMORY.refuse(config, Settings.PREPARE_MEMORY.kind().allowed());
    });
    readable(config, Settings.OFFLOAD_KEY_FILE, "a file that can be read, of one key");
    for (Setting<String> file : List.of(Settings.OFFLOAD_TRUST, Settings.OFFLOAD_CERTIFICATE, Settings.OFFLOAD_KEY)) {
      readable(config, file, "a PEM file that can be read");
    }
    boolean certificate = Settings.OFFLOAD_CERTIFICATE.given(config).isPresent();
    if (certificate != Settings.OFFLOAD_KEY.given(config).isPresent()) {
      throw new IllegalArgumentException(Settings.OFFLOAD_CERTIFICATE.name() + " and " + Settings.OFFLOAD_KEY.name() + " go together; set both or neither");
    }
    if (certificate && Settings.OFFLOAD_TRUST.given(config).isEmpty()) {
      throw new IllegalArgumentException(
          Settings.OFFLOAD_CERTIFICATE.name() + " needs " + Settings.OFFLOAD_TRUST.name() + ": the certificates of those who sign accelerators' certificates");
    }
  }

  /**
   * Finds properties of ours that are none, such as a typing error's. Of the environment nobody can tell: others' variables begin alike, as Kubernetes' of a
   * service that is called nibble.
   *
   * @throws IllegalArgumentException one line that names the property
   */
  public static void requireKnown() {
    Set<String> known = Settings.ALL.stream().map(Setting::name).collect(Collectors.toSet());
    for (String name : new TreeSet<>(System.getProperties().stringPropertyNames())) {
      if (name.startsWith(OWN) && !known.contains(name)) {
        throw new IllegalArgumentException("there is no setting " + name + "; README.md lists them, and names the pages with the others");
      }
    }
  }

  /**
   * Finds settings that are given and empty, such as {@code NIBBLE_AUTH_KEYS_FILE=} of a variable that was never set. The framework takes some of them for not
   * given, so that a service told to ask for keys would let everybody in, and ends with a page of its own words for others.
   */
  private static void empty(Config config) {
    SmallRyeConfig settings = config.unwrap(SmallRyeConfig.class);
    Settings.ALL.forEach(setting -> requireText(settings, setting.name()));
    Set<String> checked = Settings.ALL.stream().map(Setting::variable).collect(Collectors.toSet());
    TreeSet<String> names = new TreeSet<>();
    settings.getPropertyNames().forEach(names::add);
    for (String name : names) {
      // The framework lists the environment's names in lower case and with dots alone, beside their properties' names.
      if (PREFIXES.stream().anyMatch(name::startsWith) && !checked.contains(Setting.variable(name))) {
        requireText(settings, name);
      }
    }
  }

  private static void requireText(SmallRyeConfig settings, String name) {
    ConfigValue value = settings.getConfigValue(name);
    if (value.getRawValue() != null && value.getRawValue().isEmpty()) {
      throw new IllegalArgumentException(Setting.named(value.getConfigSourceName(), name) + " is empty; give it a value, or leave it out");
    }
  }

  /** Reads the keys: a service that was told to ask for them must not start without. */
  private static void keys(Config config) {
    Settings.KEYS_FILE.given(config).ifPresent(file -> {
      try {
        KeyFile.read(Path.of(file));
      } catch (InvalidKeyFileException | InvalidPathException unusable) {
        throw new IllegalArgumentException(Settings.KEYS_FILE.named(config) + ": " + unusable.getMessage());
      }
    });
  }

  private static void readable(Config config, Setting<String> setting, String allowed) {
    Optional<String> file = setting.given(config);
    try {
      if (file.isPresent() && !(Files.isRegularFile(Path.of(file.get())) && Files.isReadable(Path.of(file.get())))) {
        throw setting.refuse(config, allowed);
      }
    } catch (InvalidPathException unusable) {
      throw setting.refuse(config, allowed);
    }
  }
}
