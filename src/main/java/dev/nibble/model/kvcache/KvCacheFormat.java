package dev.nibble.model.kvcache;

/** How full pages of a KV cache are kept. */
public enum KvCacheFormat {
  /** 32 bits a value: exact. */
  F32,
  /** 8 bits a value: keys with a scale for each channel of a page, values with one for each token (KIVI, Liu et al. 2024). */
  INT8
}
