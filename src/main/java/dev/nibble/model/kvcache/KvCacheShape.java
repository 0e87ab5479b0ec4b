package dev.nibble.model.kvcache;

import dev.nibble.kernel.PageLayout;

/**
 * Where a page's parts lie. A page holds {@value PageLayout#TOKENS} tokens of all layers, since it fills in all of them at the same token. Exact pages are
 * float[layer][head][keys: padded width × 64, values: 64 × padded width]; packed ones int[layer][head][keys, values], each as its {@link PageLayout} says.
 */
public final class KvCacheShape {
  private final int layers;
  private final int heads;
  private final int width;
  private final KvCacheFormat format;
  private final PageLayout keys;
  private final PageLayout values;

  /**
   * The pages of a model.
   *
   * @param layers transformer blocks
   * @param heads key and value heads
   * @param width channels of a head
   * @throws IllegalArgumentException if heads of this width can't be rotated
   */
  public KvCacheShape(int layers, int heads, int width, KvCacheFormat format) {
    if (format.rotate() && Integer.bitCount(width) != 1) {
      throw new IllegalArgumentException(
          "the KV cache can't be rotated: the model's heads have " + width + " channels; allowed with --kv-rotate (nibble.kv.rotate): a power of two");
    }
    this.layers = layers;
    this.heads = heads;
    this.width = width;
    this.format = format;
    keys = PageLayout.keys(format.keys(), width);
    values = PageLayout.values(format.values(), width);
  }

  int layers() {
    return layers;
  }

  int heads() {
    return heads;
  }

  int width() {
    return width;
  }

  /** How its pages are kept. */
  public KvCacheFormat format() {
    return format;
  }

  int paddedWidth() {
    return PageLayout.paddedWidth(width);
  }

  PageLayout keys() {
    return keys;
  }

  PageLayout values() {
    return values;
  }

  int exactFloats() {
    return Math.multiplyExact(layers * heads, 2 * PageLayout.TOKENS * paddedWidth());
  }

  int packedInts() {
    return Math.multiplyExact(layers * heads, keys.ints() + values.ints());
  }

  int exactKeysAt(int layer, int head) {
    return (layer * heads + head) * 2 * PageLayout.TOKENS * paddedWidth();
  }

  int exactValuesAt(int layer, int head) {
    return exactKeysAt(layer, head) + PageLayout.TOKENS * paddedWidth();
  }

  int packedKeysAt(int layer, int head) {
    return (layer * heads + head) * (keys.ints() + values.ints());
  }

  int packedValuesAt(int layer, int head) {
    return packedKeysAt(layer, head) + keys.ints();
  }

  /** Bytes that attending from a token after {@code tokens} others reads: the open page and the residual exact, all others packed. */
  public long bytesRead(int tokens) {
    int exact = Math.min(tokens, tokens % PageLayout.TOKENS + format.residual());
    return (exactPageBytes() * exact + packedPageBytes() * (tokens - exact)) / PageLayout.TOKENS;
  }

  /** Bytes of a packed page, which hold {@value PageLayout#TOKENS} tokens. */
  public long packedPageBytes() {
    return 4L * packedInts();
  }

  /** Bytes of an exact page; a sequence has one, and one more for each page of its residual. */
  public long exactPageBytes() {
    return 4L * exactFloats();
  }

  /** Most tokens of one sequence whose pages take no more than so many bytes; as {@link KvCache} takes them. */
  public int tokensWithin(long bytes) {
    long ring = format.exactPages() + 1L;
    long pages = bytes < ring * exactPageBytes() ? bytes / exactPageBytes() : ring + (bytes - ring * exactPageBytes()) / packedPageBytes();
    return (int) Math.min(Integer.MAX_VALUE, Math.min(pages, Integer.MAX_VALUE) * PageLayout.TOKENS);
  }

  /** Bytes of all pages of a sequence of so many tokens, as {@link KvCache} takes them. */
  public long sequenceBytes(int tokens) {
    int pages = (tokens + PageLayout.TOKENS - 1) / PageLayout.TOKENS;
    int exact = Math.min(pages, format.exactPages() + 1);
    return exact * exactPageBytes() + (pages - exact) * packedPageBytes();
  }

  /** What a token of a long sequence costs, scales and zero points included. */
  public double bytesPerToken() {
    return (double) packedPageBytes() / PageLayout.TOKENS;
  }
}
