package dev.nibble.model.kvcache;

import dev.nibble.kernel.PageFormat;
import dev.nibble.kernel.PageLayout;

/**
 * How a model's KV cache is kept (KIVI, Liu et al. 2024): full pages of {@value PageLayout#TOKENS} tokens have their keys quantised for each channel and
 * their values for each token, once they are old enough.
 *
 * <p>A token in page p (position / 64) sees page k as packed if k &lt; p - {@link #exactPages}, else exact. So that is a matter of position alone: a token
 * sees at least the {@code residual} tokens before it exact, and all of its own page up to itself.
 *
 * @param keys of packed pages
 * @param values of packed pages
 * @param residual tokens before the open page that stay exact; taken up to whole pages
 * @param rotate whether keys and queries are turned by a Hadamard matrix, which needs heads whose width is a power of two
 */
public record KvCacheFormat(PageFormat keys, PageFormat values, int residual, boolean rotate) {
  /** Tokens kept exact where nothing else is said. */
  public static final int DEFAULT_RESIDUAL = 64;
  /** Exact, for measuring. */
  public static final KvCacheFormat F32 = new KvCacheFormat(PageFormat.F32, PageFormat.F32, 0, false);
  /** 8 bits for keys and values. */
  public static final KvCacheFormat INT8 = new KvCacheFormat(PageFormat.INT8, PageFormat.INT8, DEFAULT_RESIDUAL, false);

  public KvCacheFormat {
    if (residual < 0 || residual > KvCacheOptions.MOST_RESIDUAL) {
      throw new IllegalArgumentException("the KV cache's residual is " + residual + "; allowed: 0 to " + KvCacheOptions.MOST_RESIDUAL);
    }
  }

  /** Full pages before the open one that stay exact. */
  int exactPages() {
    return (residual + PageLayout.TOKENS - 1) / PageLayout.TOKENS;
  }

  /** Such as {@code keys 8, values 4, residual 64, rotated}. */
  @Override
  public String toString() {
    return "keys " + keys.label() + ", values " + values.label() + ", residual " + residual + (rotate ? ", rotated" : "");
  }
}
