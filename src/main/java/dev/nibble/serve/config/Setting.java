package dev.nibble.serve.config;

import java.util.Locale;
import java.util.Optional;
import org.eclipse.microprofile.config.Config;
import org.eclipse.microprofile.config.ConfigValue;

/**
 * A setting, written once: the service reads it here, and the checks before the start, the command line's help and the documentation's tables are made of it.
 *
 * @param name the property's name; the environment has it in capitals, with underscores
 * @param kind what it takes
 * @param value what holds where it is not given; empty if that is no value of its own
 * @param unset what holds where it is not given, for people
 * @param meaning what it is for, as the documentation's table says it
 * @param <T> type of its values
 */
public record Setting<T>(String name, Kind<T> kind, Optional<T> value, String unset, String meaning) {
  private static final String ENVIRONMENT = "EnvConfigSource"; // the name that the framework gives this source begins so

  /** A setting that has a value always. */
  public static <T> Setting<T> of(String name, Kind<T> kind, String value, String meaning) {
    return new Setting<>(name, kind, Optional.of(kind.read(value).orElseThrow()), value, meaning);
  }

  /** A setting that may be left out, with words for what holds then. */
  public static <T> Setting<T> optional(String name, Kind<T> kind, String unset, String meaning) {
    return new Setting<>(name, kind, Optional.empty(), unset, meaning);
  }

  /** The setting's value. @throws IllegalArgumentException one line that names it, what it is, and what is allowed */
  public T in(Config config) {
    return given(config).or(this::value).orElseThrow();
  }

  /** What the setting is given as; empty where it is left out. @throws IllegalArgumentException one line that names it, what it is, and what is allowed */
  public Optional<T> given(Config config) {
    return text(config).filter(text -> !text.isEmpty()).map(text -> kind.read(text).orElseThrow(() -> refuse(config, kind.allowed())));
  }

  /** The value that an option of the command line gives. @throws IllegalArgumentException one line that names the option, what it is, and what is allowed */
  public T read(String option, String text) {
    return kind.read(text).orElseThrow(() -> new IllegalArgumentException(option + " is " + text + "; allowed: " + kind.allowed()));
  }

  /** What was written; empty where nothing was. */
  private Optional<String> text(Config config) {
    ConfigValue value = config.getConfigValue(name);
    if (value.getValue() == null && value.getRawValue() != null) {
      throw new IllegalArgumentException(named(config) + " is \"" + value.getRawValue() + "\", which names a setting that is not there");
    }
    return Optional.ofNullable(value.getValue());
  }

  /** What to tell of a value that is of the right kind but can't be used. */
  public IllegalArgumentException refuse(Config config, String allowed) {
    return new IllegalArgumentException(named(config) + " is \"" + text(config).orElse("") + "\"; allowed: " + allowed);
  }

  /** The setting as whoever gave it calls it: the environment's variable, or the property. */
  public String named(Config config) {
    return named(config.getConfigValue(name).getSourceName(), name);
  }

  /** What a property is called where it was found. */
  public static String named(String source, String name) {
    return source != null && source.startsWith(ENVIRONMENT) ? variable(name) : name;
  }

  /** The setting's name in the environment. */
  public String variable() {
    return variable(name);
  }

  /** What a property is called in the environment. */
  public static String variable(String name) {
    return name.replaceAll("[^A-Za-z0-9]", "_").toUpperCase(Locale.ROOT);
  }

  /** What the help of an option says that means the same: what it is for, what it takes, and what holds without. */
  public String help() {
    String sentence = meaning.substring(0, 1).toUpperCase(Locale.ROOT) + meaning.substring(1);
    return kind.isFlag() ? sentence + "." : sentence + ": " + kind.allowed() + "; default " + unset + ".";
  }
}
