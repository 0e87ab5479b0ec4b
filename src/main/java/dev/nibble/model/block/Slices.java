package dev.nibble.model.block;

import dev.nibble.model.kvcache.KvCache;
import java.util.Arrays;

/** The tokens of a forward pass as blocks see them: pieces of sequences one after the other, of one row each token. */
public final class Slices {
  private KvCache[] caches = new KvCache[1];
  private int[] positions = new int[1]; // of a piece's first token
  private int[] rows = new int[2]; // first row of each piece, and one past the last
  private int count;

  /** Empties it. */
  public void clear() {
    Arrays.fill(caches, 0, count, null);
    count = 0;
  }

  /** Adds a piece. @param position of its first token in the sequence */
  public void add(KvCache cache, int position, int tokens) {
    if (count == caches.length) {
      caches = Arrays.copyOf(caches, 2 * count);
      positions = Arrays.copyOf(positions, 2 * count);
      rows = Arrays.copyOf(rows, 2 * count + 1);
    }
    caches[count] = cache;
    positions[count] = position;
    rows[count + 1] = rows[count] + tokens;
    count++;
  }

  /** Pieces. */
  public int count() {
    return count;
  }

  KvCache cache(int slice) {
    return caches[slice];
  }

  /** Place of a piece's first token in its sequence. */
  public int position(int slice) {
    return positions[slice];
  }

  /** A piece's first row. */
  public int row(int slice) {
    return rows[slice];
  }

  /** Tokens of a piece. */
  public int tokens(int slice) {
    return rows[slice + 1] - rows[slice];
  }

  /** Tokens of all pieces. */
  public int tokens() {
    return rows[count];
  }
}
