package dev.nibble.model;

import dev.nibble.kernel.Products;
import dev.nibble.kernel.TiledMatrix;
import dev.nibble.model.block.Block;
import dev.nibble.model.block.Linear;
import dev.nibble.model.block.Normalization;
import dev.nibble.model.block.Workspace;
import dev.nibble.model.kvcache.KvCache;
import dev.nibble.model.kvcache.KvCacheFormat;
import dev.nibble.model.kvcache.KvCacheShape;
import dev.nibble.model.kvcache.PagePool;
import dev.nibble.model.kvcache.PagedAttention;
import dev.nibble.model.spec.DecoderSpec;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/**
 * A decoder of any family. Weights are never changed; scratch memory belongs to a {@link Workspace}, which one pass uses at a time. Steady-state decoding allocates
 * nothing here.
 */
public final class Decoder implements LanguageModel {
  /** Most tokens computed together: enough to read weights from cache many times, few enough for scratch to stay small. */
  static final int BATCH = 256;
  private static final BooleanSupplier NEVER = () -> false;

  private final DecoderSpec spec;
  private final DecoderWeights weights;
  private final Products products;
  private final PagePool pages;
  private final ReentrantLock turn = new ReentrantLock();
  private final Workspace own; // of single sequences, guarded by turn
  private final Batch ownBatch = new Batch();
  private final CopyLogits copy = new CopyLogits();

  /** Without a limit of the memory for keys and values. */
  public Decoder(DecoderSpec spec, DecoderWeights weights, Products products, KvCacheFormat cacheFormat) {
    this(spec, weights, products, cacheFormat, Long.MAX_VALUE);
  }

  /** @param cacheBytes most bytes of keys and values of all sequences together */
  public Decoder(DecoderSpec spec, DecoderWeights weights, Products products, KvCacheFormat cacheFormat, long cacheBytes) {
    this.spec = spec;
    this.weights = weights;
    this.products = products;
    pages = new PagePool(new KvCacheShape(spec.layers().size(), spec.keyValueHeads(), spec.headWidth(), cacheFormat), cacheBytes);
    own = newWorkspace(Math.min(BATCH, spec.context()));
  }

  /** Scratch memory for passes of up to so many tokens. */
  public Workspace newWorkspace(int tokens) {
    int group = spec.layers().getFirst().attention().heads() / spec.keyValueHeads();
    return new Workspace(spec, tokens, products, new PagedAttention(pages.shape(), group, products.pool(), products.kernels()), weights.rotations(spec, tokens));
  }

  /** What it is. */
  public DecoderSpec spec() {
    return spec;
  }

  /** Memory of its sequences' caches. */
  public PagePool pages() {
    return pages;
  }

  @Override
  public int vocabularySize() {
    return spec.vocabulary();
  }

  @Override
  public int contextLength() {
    return spec.context();
  }

  @Override
  public int longestSequence() {
    return Math.min(spec.context(), pages.shape().tokensWithin(pages.limitBytes()));
  }

  @Override
  public double cacheUsage() {
    return pages.usedBytes() / (double) pages.limitBytes();
  }

  TiledMatrix embedding() {
    return weights.embedding();
  }

  /** Bytes of weights, keys and values that computing one token alone must read, after {@code tokens} others. */
  public long bytesPerToken(int tokens) {
    return weights.bytesPerToken() + pages.shape().bytesRead(tokens);
  }

  @Override
  public Sequence newSequence(int capacity) {
    checkCapacity(capacity);
    return new CachedSequence(capacity, new KvCache(pages, capacity), 0);
  }

  /**
   * Begins a sequence with the first tokens of another, whose keys and values both share from then on: what follows has the bits that it has after computing them.
   *
   * @param tokens a multiple of 64; see {@link KvCache#share}
   * @throws IllegalArgumentException for tokens that can't be shared, or a capacity that can't be
   */
  public Sequence newSequence(Sequence prefix, int tokens, int capacity) {
    checkCapacity(capacity);
    if (!(prefix instanceof CachedSequence cached && cached.model() == this && cached.cache != null && tokens <= cached.length)) {
      throw new IllegalArgumentException(tokens + " tokens of this sequence can't be shared");
    }
    return new CachedSequence(capacity, cached.cache.share(tokens, capacity), tokens);
  }

  private final class CachedSequence implements Sequence {
    private final int capacity;
    private KvCache cache;
    private int length;

    CachedSequence(int capacity, KvCache cache, int length) {
      this.capacity = capacity;
      this.cache = cache;
      this.length = length;
    }

    @Override
    public int length() {
      return length;
    }

    @Override
    public int capacity() {
      return capacity;
    }

    @Override
    public void append(int[] ids, int from, int count, float[] out) {
      append(ids, from, count, out, NEVER);
    }

    @Override
    public boolean append(int[] ids, int from, int count, float[] out, BooleanSupplier stopped) {
      Objects.checkFromIndexSize(from, count, ids.length);
      check(count);
      for (int i = from; i < from + count; i++) {
        checkId(ids[i]);
      }
      cache.reserve(length + count);
      turn.lock();
      try {
        copy.out = out;
        for (int done = 0; done < count;) {
          int now = Math.min(own.capacity(), count - done);
          ownBatch.clear().add(this, ids, from + done, now, out != null && done + now == count ? Batch.Outputs.LAST : Batch.Outputs.NONE);
          if (!pass(ownBatch, own, copy, stopped)) {
            return false;
          }
          done += now;
        }
        return true;
      } finally {
        copy.out = null;
        ownBatch.clear();
        turn.unlock();
      }
    }

    Decoder model() {
      return Decoder.this;
    }

    void check(int count) {
      if (cache == null) {
        throw new IllegalStateException("the sequence is closed");
      }
      if (count < 1 || count > capacity - length) {
        throw new IllegalArgumentException(count + " tokens do not fit: the sequence holds " + length + " of " + capacity);
      }
    }

    @Override
    public void close() {
      if (cache != null) {
        cache.close();
        cache = null;
      }
    }
  }

  private void checkCapacity(int capacity) {
    if (capacity < 1 || capacity > longestSequence()) {
      throw new IllegalArgumentException("capacity is " + capacity + "; allowed: 1 to " + longestSequence());
    }
  }

  private void checkId(int id) {
    if (id < 0 || id >= spec.vocabulary()) {
      throw new IllegalArgumentException("token id " + id + " is outside the vocabulary of " + spec.vocabulary());
    }
  }

  private final class CopyLogits implements LogitsReader {
    private float[] out;

    @Override
    public void read(int slice, int token, float[] logits, int at) {
      System.arraycopy(logits, at, out, 0, spec.vocabulary());
    }
  }

  /**
   * Computes a batch: each sequence gets the tokens of its piece, and the bits that it would get alone. At most one pass uses a workspace at a time; passes with
   * different workspaces take turns, as the workers are the same.
   *
   * @param batch of sequences of this model
   * @param reader told the logits that the batch asks for
   * @param stopped asked several times on the way, twice a layer: once it says yes the pass ends, and the batch's sequences are good for nothing but closing
   * @return false if it was stopped
   * @throws IllegalArgumentException for an id outside the vocabulary, more tokens than a sequence or the workspace holds, or a sequence of another model
   * @throws IllegalStateException for a closed sequence, or if the cache is full; sequences are then as before
   */
  public boolean forward(Batch batch, Workspace w, LogitsReader reader, BooleanSupplier stopped) {
    if (batch.tokens() > w.capacity()) {
      throw new IllegalArgumentException("the batch has " + batch.tokens() + " tokens; the workspace takes " + w.capacity());
    }
    for (int slice = 0; slice < batch.size(); slice++) {
      CachedSequence sequence = sequence(batch, slice);
      sequence.check(batch.count(slice));
      for (int token = 0; token < batch.count(slice); token++) {
        checkId(batch.id(slice, token));
      }
    }
    for (int slice = 0; slice < batch.size(); slice++) {
      CachedSequence sequence = sequence(batch, slice);
      sequence.cache.reserve(sequence.length + batch.count(slice));
    }
    turn.lock();
    try {
      return pass(batch, w, reader, stopped);
    } finally {
      turn.unlock();
    }
  }

  /** A batch that is checked, whose pages are there and whose turn it is. */
  private boolean pass(Batch batch, Workspace w, LogitsReader reader, BooleanSupplier stopped) {
    try {
      for (int slice = 0; slice < batch.size(); slice++) {
        CachedSequence sequence = sequence(batch, slice);
        w.slices.add(sequence.cache, sequence.length, batch.count(slice));
      }
      if (!compute(batch, w, reader, stopped)) {
        return false;
      }
      for (int slice = 0; slice < batch.size(); slice++) {
        sequence(batch, slice).length += batch.count(slice);
      }
      return true;
    } finally {
      w.slices.clear();
    }
  }

  private CachedSequence sequence(Batch batch, int slice) {
    if (batch.sequence(slice) instanceof CachedSequence sequence && sequence.model() == this) {
      return sequence;
    }
    throw new IllegalArgumentException("piece " + slice + " of the batch is of a sequence of another model");
  }

  private boolean compute(Batch batch, Workspace w, LogitsReader reader, BooleanSupplier stopped) {
    List<Block> blocks = weights.blocks();
    embed(batch, w);
    int rows = batch.tokens();
    Block first = blocks.getFirst();
    w.normalize(rows, first.attentionNorm(), first.attention().readsIntegers());
    for (int layer = 0; layer < blocks.size(); layer++) {
      Block block = blocks.get(layer);
      boolean last = layer == blocks.size() - 1;
      if (stopped.getAsBoolean()) {
        return false;
      }
      block.attention().attend(w);
      if (last) {
        rows = keepOutputs(batch, w);
        if (rows == 0) {
          return true; // all keys and values are in the cache
        }
      }
      block.attention().project(w, rows);
      if (stopped.getAsBoolean()) {
        return false;
      }
      w.addThenNormalize(
          0, rows, block.attention().output().bias(), block.afterAttention(), block.feedForwardNorm(), block.feedForward().normedIntegers());
      block.feedForward().compute(w, rows);
      if (!last) {
        Block next = blocks.get(layer + 1);
        w.addThenNormalize(0, rows, block.feedForward().down().bias(), block.afterFeedForward(), next.attentionNorm(), next.attention().readsIntegers());
      }
    }
    head(batch, w, rows, blocks.getLast(), reader);
    return true;
  }

  private void embed(Batch batch, Workspace w) {
    int row = 0;
    for (int slice = 0; slice < batch.size(); slice++) {
      int position = w.slices.position(slice);
      for (int token = 0; token < batch.count(slice); token++) {
        w.embed(row++, weights.embedding(), batch.id(slice, token), spec.embeddingScale(), position + token);
      }
    }
  }

  /** After the last attention only tokens with outputs count: their rows become the first. Returns how many. */
  private static int keepOutputs(Batch batch, Workspace w) {
    int kept = 0;
    for (int slice = 0; slice < batch.size(); slice++) {
      int count = batch.count(slice);
      for (int token = firstOutput(batch, slice); token < count; token++) {
        int row = w.slices.row(slice) + token;
        if (row != kept) {
          w.move(row, kept);
        }
        kept++;
      }
    }
    return kept;
  }

  /** The last norm and the logits, of some rows at a time. */
  private void head(Batch batch, Workspace w, int rows, Block last, LogitsReader reader) {
    Linear output = weights.output();
    Normalization norm = weights.outputNorm();
    int slice = 0;
    int token = firstOutput(batch, 0);
    for (int from = 0; from < rows; from += w.logitsRows()) {
      int now = Math.min(w.logitsRows(), rows - from);
      w.addThenNormalize(from, now, last.feedForward().down().bias(), last.afterFeedForward(), norm, output.matrix().integer());
      w.head(now, output, spec.logitSoftcap());
      for (int row = 0; row < now; row++) {
        while (token >= batch.count(slice)) {
          slice++;
          token = firstOutput(batch, slice);
        }
        reader.read(slice, token, w.logits(), row * w.logitsStride());
        token++;
      }
    }
  }

  /** The first token of a piece whose logits are wanted; as many as it has where none are. */
  private static int firstOutput(Batch batch, int slice) {
    return switch (batch.outputs(slice)) {
      case NONE -> batch.count(slice);
      case LAST -> batch.count(slice) - 1;
      case ALL -> 0;
    };
  }
}
