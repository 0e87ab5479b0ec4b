package dev.nibble.model.kvcache;

import dev.nibble.kernel.PageFormat;
import java.util.Optional;

/**
 * What a user says about the KV cache; the rest depends on the model.
 *
 * @param keys empty: 8 bits
 * @param values empty: 8 bits for models below {@value #LARGE} parameters, 4 above
 */
public record KvCacheOptions(Optional<PageFormat> keys, Optional<PageFormat> values, int residual, boolean rotate) {
  /** Beyond any context worth keeping exact; keeps typing errors out. */
  public static final int MOST_RESIDUAL = 65536;
  /** Parameters from which values have 4 bits: larger models have more heads to average out what rounding does to one. */
  public static final long LARGE = 2_000_000_000L;
  /** Names of formats, for messages. */
  public static final String FORMATS = "8, 4, 2, f16, f32";
  /** As the model's size has it. */
  public static final KvCacheOptions DEFAULT = of(Optional.empty(), Optional.empty(), KvCacheFormat.DEFAULT_RESIDUAL, false);
  /** Nothing quantised. */
  public static final KvCacheOptions EXACT = of(Optional.of("f32"), Optional.of("f32"), 0, false);

  public KvCacheOptions {
    if (!isResidual(residual)) {
      throw new IllegalArgumentException("the KV cache's residual is " + residual + "; allowed: 0 to " + MOST_RESIDUAL);
    }
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
