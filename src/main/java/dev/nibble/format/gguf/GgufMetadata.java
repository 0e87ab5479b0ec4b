package dev.nibble.format.gguf;

import java.io.IOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;

/** Key-value pairs of a GGUF file, in its order. Getters are empty where the key is missing, and throw where it has another type. */
public final class GgufMetadata {
  private final String file;
  private final Map<String, GgufValue> values;

  /** @param file named in messages */
  public GgufMetadata(String file, Map<String, GgufValue> values) {
    this.file = file;
    this.values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
  }

  /**
   * Reads a file's metadata; of several that a model is in, this one's.
   *
   * @param file its name, for messages
   * @throws InvalidGgufException if it is damaged or no GGUF file
   * @throws IOException if it can't be read
   */
  public static GgufMetadata read(FileBytes bytes, String file) throws IOException {
    return new GgufReader(bytes, file).read().metadata();
  }

  /** The file's name, for messages. */
  public String file() {
    return file;
  }

  public Set<String> keys() {
    return values.keySet();
  }

  public Optional<GgufValue> find(String key) {
    return Optional.ofNullable(values.get(key));
  }

  /** @throws GgufKeyException if the value is no string */
  public Optional<String> string(String key) {
    return switch (values.get(key)) {
      case null -> Optional.empty();
      case GgufValue.Text text -> Optional.of(text.value());
      case GgufValue.LongText text -> throw new GgufKeyException(key, "metadata " + key + " of " + file + " is " + text.bytes() + " bytes long; at most "
          + GgufReader.MAX_TEXT + " can be used");
      case GgufValue other -> throw wrong(key, other, "a string");
    };
  }

  /** @throws GgufKeyException if the value is no whole number */
  public OptionalLong integer(String key) {
    return switch (values.get(key)) {
      case null -> OptionalLong.empty();
      case GgufValue.Whole whole -> OptionalLong.of(whole.value());
      case GgufValue other -> throw wrong(key, other, "a whole number");
    };
  }

  /** Whole numbers are taken too. @throws GgufKeyException if the value is no number */
  public OptionalDouble number(String key) {
    return switch (values.get(key)) {
      case null -> OptionalDouble.empty();
      case GgufValue.Real real -> OptionalDouble.of(real.value());
      case GgufValue.Whole whole -> OptionalDouble.of((double) whole.value());
      case GgufValue other -> throw wrong(key, other, "a number");
    };
  }

  /** @throws GgufKeyException if the value is no truth value */
  public Optional<Boolean> bool(String key) {
    return switch (values.get(key)) {
      case null -> Optional.empty();
      case GgufValue.Bool bool -> Optional.of(bool.value());
      case GgufValue other -> throw wrong(key, other, "a truth value");
    };
  }

  /** @throws GgufKeyException if the value is no array of strings */
  public Optional<List<String>> strings(String key) {
    return switch (values.get(key)) {
      case null -> Optional.empty();
      case GgufValue.Texts texts -> Optional.of(texts.values());
      case GgufValue other -> throw wrong(key, other, "an array of strings");
    };
  }

  /** @throws GgufKeyException if the value is no array of whole numbers */
  public Optional<long[]> integers(String key) {
    return switch (values.get(key)) {
      case null -> Optional.empty();
      case GgufValue.Wholes wholes -> Optional.of(wholes.values());
      case GgufValue other -> throw wrong(key, other, "an array of whole numbers");
    };
  }

  /** @throws GgufKeyException if the value is no array of numbers with a fraction */
  public Optional<double[]> numbers(String key) {
    return switch (values.get(key)) {
      case null -> Optional.empty();
      case GgufValue.Reals reals -> Optional.of(reals.values());
      case GgufValue other -> throw wrong(key, other, "an array of floating-point numbers");
    };
  }

  /** @throws GgufKeyException if it is missing, or no string */
  public String requireString(String key) {
    return string(key).orElseThrow(() -> missing(key));
  }

  /** @throws GgufKeyException if it is missing, or no whole number from {@code least} to {@code most} */
  public int requireInteger(String key, int least, int most) {
    long value = integer(key).orElseThrow(() -> missing(key));
    if (value < least || value > most) {
      throw new GgufKeyException(key, "metadata " + key + " of " + file + " is " + value + "; allowed: " + least + " to " + most);
    }
    return (int) value;
  }

  /** The exception for a missing key. */
  public GgufKeyException missing(String key) {
    return new GgufKeyException(key, "metadata " + key + " is missing in " + file);
  }

  private GgufKeyException wrong(String key, GgufValue value, String wanted) {
    String type = value instanceof GgufValue.Array array ? "an array of " + array.elementType() : value.type().toString();
    return new GgufKeyException(key, "metadata " + key + " of " + file + " is " + type + ", not " + wanted);
  }
}
