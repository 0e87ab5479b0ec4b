package dev.nibble.model.block;

import dev.nibble.model.kvcache.Scoring;
import dev.nibble.model.spec.AttentionSpec;

/**
 * Causal self-attention of a layer, over the cache of each sequence.
 *
 * @param layer number of the layer, for the cache
 * @param queryNorm of each head; null for none
 * @param keyNorm of each head; null for none
 * @param rotation which of the workspace's rotary tables
 */
public record Attention(
    AttentionSpec spec, int layer, Linear query, Linear key, Linear value, Linear output, Normalization queryNorm, Normalization keyNorm, int rotation,
    Scoring scoring) {

  /** Attention of a layer. */
  public Attention(
      AttentionSpec spec, int layer, Linear query, Linear key, Linear value, Linear output, Normalization queryNorm, Normalization keyNorm, int rotation) {
    this(spec, layer, query, key, value, output, queryNorm, keyNorm, rotation, new Scoring(spec.scale(), spec.window(), spec.softcap()));
  }

  /** Whether its products read the int8 form of what is normalised. */
  public boolean readsIntegers() {
    return query.integer() || key.integer() || value.integer();
  }

  /** attended = attention(normed); keys and values are kept. */
  public void attend(Workspace w) {
    Slices slices = w.slices;
    int rows = slices.tokens();
    w.products.multiply(w.normed, rows, query.matrix(), w.query, w.queryStride, key.matrix(), w.key, w.keyValueStride, value.matrix(), w.value, w.keyValueStride);
    w.rotate.run(rows, this);
    for (int slice = 0; slice < slices.count(); slice++) {
      int row = slices.row(slice);
      w.pagedAttention.attend(slices.cache(slice), layer, scoring, slices.position(slice), slices.tokens(slice), w.query, row * w.queryStride, w.queryStride,
          w.key, row * w.keyValueStride, w.keyValueStride, w.value, row * w.keyValueStride, w.keyValueStride,
          w.attended.values(), row * w.attended.stride(), w.attended.stride());
    }
    if (output.integer()) {
      w.quantizeAttended(rows);
    }
  }

  /** projected = output(attended), without its bias. */
  public void project(Workspace w, int rows) {
    w.products.multiply(w.attended, rows, output.matrix(), w.projected, w.widthStride);
  }

  void rotate(Workspace w, int row) {
    int queryAt = row * w.queryStride;
    int keyAt = row * w.keyValueStride;
    w.elementwise.add(w.query, queryAt, query.bias(), 0, query.bias().length);
    w.elementwise.add(w.key, keyAt, key.bias(), 0, key.bias().length);
    w.elementwise.add(w.value, keyAt, value.bias(), 0, value.bias().length);
    normalizeHeads(w, w.query, queryAt, spec.heads(), queryNorm);
    normalizeHeads(w, w.key, keyAt, spec.keyValueHeads(), keyNorm);
    w.rotations[rotation].rotate(w.elementwise, w.query, queryAt, spec.heads(), spec.headWidth(), row);
    w.rotations[rotation].rotate(w.elementwise, w.key, keyAt, spec.keyValueHeads(), spec.headWidth(), row);
  }

  private void normalizeHeads(Workspace w, float[] vectors, int at, int heads, Normalization norm) {
    if (norm != null) {
      for (int head = 0; head < heads; head++) {
        int from = at + head * spec.headWidth();
        w.elementwise.rmsNorm(vectors, from, norm.weight(), norm.epsilon(), vectors, from);
      }
    }
  }
}
