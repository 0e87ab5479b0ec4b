package dev.nibble.model.kvcache;

/**
 * {@value dev.nibble.kernel.PageLayout#TOKENS} tokens' keys and values of all layers, exact, packed, or both. Several sequences may share a page; which of its parts
 * one of them reads depends on that sequence's position alone. All counts are guarded by the pool.
 */
final class KvPage {
  float[] exact; // as KvCacheShape says; null while no memory is given to it
  int[] packed; // null until a sequence is about to read it packed
  int holders; // sequences that have this page
  int exactHolders; // of those, the ones that still need its exact part
}
