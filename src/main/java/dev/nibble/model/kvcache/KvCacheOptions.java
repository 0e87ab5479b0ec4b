package dev.nibble.model.kvcache;

import dev.nibble.kernel.PageFormat;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a user says about the KV cache; the rest depends on the model.
 *
 * @param keys empty: 8 bits
 * @param values empty: 8 bits for models below {@value #LARGE} parameters, 4 above
 * @param memory most bytes of all sequences' pages; empty: half of the heap, which the machine's memory determines
 */
public record KvCacheOptions(Optional<PageFormat> keys, Optional<PageFormat> values, int residual, boolean rotate, OptionalLong memory) {
  /** Beyond any context worth keeping exact; keeps typing errors out. */
  public static final int MOST_RESIDUAL = 65536;
  /** Parameters from which values have 4 bits: larger models have more heads to average out what rounding does to one. */
  public static final long LARGE = 2_000_000_000L;
  /** Names of formats, for messages. */
  public static final String FORMATS = "8, 4, 2, f16, f32";
  /** What {@link #memory(String)} takes, for messages. */
  public static final String MEMORY = "a size such as 64M or 2G, from 1 byte";
  private static final Pattern SIZE = Pattern.compile("([0-9]{1,15})([KMG]?)");
  /** As the model's size has it. */
  public static final KvCacheOptions DEFAULT = of(Optional.empty(), Optional.empty(), KvCacheFormat.DEFAULT_RESIDUAL, false);
  /** Nothing quantised. */
  public static final KvCacheOptions EXACT = of(Optional.of("f32"), Optional.of("f32"), 0, false);

  public KvCacheOptions {
    if (!isResidual(residual)) {
      throw new IllegalArgumentException("the KV cache's residual is " + residual + "; allowed: 0 to " + MOST_RESIDUAL);
    }
  }

  /** With the memory that there is by default. */
  public KvCacheOptions(Optional<PageFormat> keys, Optional<PageFormat> values, int residual, boolean rotate) {
    this(keys, values, residual, rotate, OptionalLong.empty());
  }

  /** The same with a limit of memory. @param size that {@link #memory(String)} has approved; empty for the default */
  public KvCacheOptions within(Optional<String> size) {
    return new KvCacheOptions(keys, values, residual, rotate, size.map(text -> memory(text)).orElse(OptionalLong.empty()));
  }

  /** Bytes of a size such as {@code 500000}, {@code 64M} or {@code 2G} (powers of 1024); empty where it is none. */
  public static OptionalLong memory(String size) {
    Matcher matcher = SIZE.matcher(size.strip().toUpperCase(Locale.ROOT));
    if (!matcher.matches()) {
      return OptionalLong.empty();
    }
    int shift = switch (matcher.group(2)) {
      case "K" -> 10;
      case "M" -> 20;
      case "G" -> 30;
      default -> 0;
    };
    long number = Long.parseLong(matcher.group(1));
    return number < 1 || number > Long.MAX_VALUE >> shift ? OptionalLong.empty() : OptionalLong.of(number << shift);
  }

  /** Most bytes of pages. Pages are on the heap, whose size Java takes from the machine's or container's memory where nobody says another. */
  public long memoryLimit() {
    return memory.orElse(Runtime.getRuntime().maxMemory() / 2);
  }

  /** Options by their names, which {@link #isFormat} has approved. */
  public static KvCacheOptions of(Optional<String> keys, Optional<String> values, int residual, boolean rotate) {
    return new KvCacheOptions(keys.map(KvCacheOptions::format), values.map(KvCacheOptions::format), residual, rotate);
  }

  /** Whether a format has this name. */
  public static boolean isFormat(String name) {
    return PageFormat.of(name).isPresent();
  }

  /** Whether so many tokens can be kept exact. */
  public static boolean isResidual(int tokens) {
    return tokens >= 0 && tokens <= MOST_RESIDUAL;
  }

  private static PageFormat format(String name) {
    return PageFormat.of(name).orElseThrow(() -> new IllegalArgumentException("the KV cache's format is \"" + name + "\"; allowed: " + FORMATS));
  }

  /** The format for a model of so many parameters. */
  public KvCacheFormat resolve(long parameters) {
    return new KvCacheFormat(keys.orElse(PageFormat.INT8), values.orElse(parameters < LARGE ? PageFormat.INT8 : PageFormat.INT4), residual, rotate);
  }
}
