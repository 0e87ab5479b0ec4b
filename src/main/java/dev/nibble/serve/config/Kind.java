package dev.nibble.serve.config;

import io.quarkus.runtime.configuration.DurationConverter;
import io.quarkus.runtime.configuration.MemorySize;
import io.quarkus.runtime.configuration.MemorySizeConverter;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * What a setting takes.
 *
 * @param allowed what may be written, for people
 * @param reader a text's value; empty, or an IllegalArgumentException or ArithmeticException, for what is not allowed
 * @param <T> the value's type
 */
public record Kind<T>(String allowed, Function<String, Optional<T>> reader) {
  private static final String FLAG = "true, false";
  private static final Duration LONGEST = Duration.ofDays(3650);

  /** Any text. */
  public static Kind<String> text(String allowed) {
    return new Kind<>(allowed, Optional::of);
  }

  /** A text that fulfils a condition. */
  public static Kind<String> text(String allowed, Predicate<String> condition) {
    return new Kind<>(allowed, text -> Optional.of(text.strip()).filter(condition));
  }

  /** An integer between two, both allowed. */
  public static Kind<Integer> integer(int least, int most, String allowed) {
    return new Kind<>(allowed, text -> Optional.of(Integer.valueOf(text.strip())).filter(value -> value >= least && value <= most));
  }

  /** How many of something there may be. */
  public static Kind<Integer> count() {
    return integer(1, Integer.MAX_VALUE, "an integer, 1 or more");
  }

  /** Yes or no. */
  public static Kind<Boolean> flag() {
    return new Kind<>(FLAG, text -> switch (text.strip().toLowerCase(Locale.ROOT)) {
      case "true" -> Optional.of(true);
      case "false" -> Optional.of(false);
      default -> Optional.empty();
    });
  }

  /** A time, 0 or longer. */
  public static Kind<Duration> time(String allowed) {
    return new Kind<>(allowed, text -> duration(text).filter(time -> !time.isNegative()));
  }

  /** A time above 0. */
  public static Kind<Duration> timeAboveZero(String allowed) {
    return new Kind<>(allowed, text -> duration(text).filter(Duration::isPositive));
  }

  /** Empty for a blank text, of which the converter makes null, and for what nobody can wait for, whose nanoseconds would overflow. */
  private static Optional<Duration> duration(String text) {
    return Optional.ofNullable(DurationConverter.parseDuration(text.strip())).filter(time -> time.compareTo(LONGEST) <= 0);
  }

  /** Bytes, at least so many. */
  public static Kind<MemorySize> size(long least, String allowed) {
    return new Kind<>(allowed, text -> Optional.ofNullable(new MemorySizeConverter().convert(text.strip())).filter(size -> size.asLongValue() >= least));
  }

  /** A number above 0. */
  public static Kind<Double> number(String allowed) {
    return new Kind<>(allowed, text -> Optional.of(Double.valueOf(text.strip())).filter(value -> value > 0 && value < Double.POSITIVE_INFINITY));
  }

  /** Texts with commas between; none of them may be empty. */
  public static Kind<List<String>> list(String allowed, Predicate<String> condition) {
    return new Kind<>(allowed, text -> Optional.of(Arrays.stream(text.split(",", -1)).map(String::strip).toList())
        .filter(all -> all.stream().allMatch(one -> !one.isEmpty() && condition.test(one))));
  }

  boolean isFlag() {
    return allowed.equals(FLAG);
  }

  /** The text's value; empty for what is not allowed. */
  public Optional<T> read(String text) {
    try {
      return reader.apply(text);
    } catch (IllegalArgumentException | ArithmeticException unreadable) {
      return Optional.empty();
    }
  }
}
