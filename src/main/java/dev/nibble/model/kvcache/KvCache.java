package dev.nibble.model.kvcache;

import dev.nibble.kernel.FloatMath;
import java.util.ArrayList;
import java.util.List;

/**
 * A sequence's keys and values, in pages of {@value #PAGE_TOKENS} tokens. A token sees its own page exact and earlier pages in the cache's
 * format, so what it sees does not depend on how many tokens are computed together.
 */
public final class KvCache {
  /** Tokens of a page. */
  public static final int PAGE_TOKENS = KvPage.TOKENS;

  private final KvCacheFormat format;
  private final int heads;
  private final int width;
  private final List<List<KvPage>> full = new ArrayList<>(); // [layer][page]
  private final List<KvPage.Floats> open = new ArrayList<>(); // [layer]

  /**
   * An empty cache.
   *
   * @param layers transformer blocks
   * @param heads key and value heads
   * @param width channels of a head
   */
  public KvCache(int layers, int heads, int width, KvCacheFormat format) {
    this.format = format;
    this.heads = heads;
    this.width = width;
    for (int layer = 0; layer < layers; layer++) {
      full.add(new ArrayList<>());
      open.add(new KvPage.Floats(heads, width));
    }
  }

  /** Keeps a token's keys and values, [head][channel] each, at a position of the open page. */
  public void put(int layer, int position, float[] keys, int keysAt, float[] values, int valuesAt) {
    for (int head = 0; head < heads; head++) {
      open.get(layer).put(head, position % PAGE_TOKENS, keys, keysAt + head * width, values, valuesAt + head * width);
    }
  }

  /** Ends a layer's open page when all its tokens have been put and attended from. */
  public void closePage(int layer) {
    KvPage.Floats page = open.get(layer);
    switch (format) {
      case F32 -> {
        full.get(layer).add(page);
        open.set(layer, new KvPage.Floats(heads, width));
      }
      case INT8 -> full.get(layer).add(new KvPage.Bytes(page));
    }
  }

  /**
   * Attention of one query head over positions 0 to {@code position}, which is in the open page (Vaswani et al. 2017).
   *
   * @param scores scratch of position + 1 floats
   * @param out receives the head's channels
   */
  public void attend(int layer, int head, int position, float[] query, int queryAt, float[] scores, float[] out, int outAt) {
    float scale = 1 / (float) Math.sqrt(width);
    List<KvPage> pages = full.get(layer);
    int before = pages.size() * PAGE_TOKENS;
    int inOpen = position + 1 - before;
    for (int page = 0; page < pages.size(); page++) {
      pages.get(page).score(head, query, queryAt, scale, scores, page * PAGE_TOKENS, PAGE_TOKENS);
    }
    open.get(layer).score(head, query, queryAt, scale, scores, before, inOpen);
    float sum = FloatMath.exponentials(scores, position + 1);
    java.util.Arrays.fill(out, outAt, outAt + width, 0);
    for (int page = 0; page < pages.size(); page++) {
      pages.get(page).blend(head, scores, page * PAGE_TOKENS, PAGE_TOKENS, out, outAt);
    }
    open.get(layer).blend(head, scores, before, inOpen, out, outAt);
    for (int c = 0; c < width; c++) {
      out[outAt + c] /= sum;
    }
  }
}
