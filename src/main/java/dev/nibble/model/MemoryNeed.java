package dev.nibble.model;

import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.kernel.tile.TileMapping;
import dev.nibble.model.kvcache.KvCacheFormat;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.model.kvcache.KvCacheShape;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.InvalidModelException;
import java.io.IOException;

/**
 * Memory that running a model takes, told from its file's metadata and shapes without reading weights. Bytes.
 *
 * @param weights tiles of all matrices, in native memory or mapped from a packed file, and vectors as floats
 * @param sequence keys and values of one sequence as long as the context
 * @param scratch activations of the tokens computed together, rounded up
 * @param context tokens of such a sequence
 * @param cache how keys and values are kept
 */
public record MemoryNeed(long weights, long sequence, long scratch, int context, KvCacheFormat cache) {
  /** Floats of scratch for a token, in hidden widths (gate, up, activated) and residual widths (residual, normed, query, attended, projected, key with value). */
  private static final int HIDDEN_WIDTHS = 3;
  private static final int RESIDUAL_WIDTHS = 6;

  /**
   * What the model of a file takes.
   *
   * @throws InvalidModelException if it can't be run
   * @throws IOException if the file can't be read
   */
  public static MemoryNeed of(ModelFile file, KvCacheOptions options) throws IOException {
    DecoderSpec spec = DecoderLoader.check(file);
    long parameters = file.tensors().stream().mapToLong(GgufTensor::elements).sum();
    KvCacheFormat format = options.resolve(parameters);
    KvCacheShape shape = new KvCacheShape(spec.layers().size(), spec.keyValueHeads(), spec.headWidth(), format);
    long scratch = (long) Float.BYTES * Math.min(Decoder.BATCH, spec.context())
        * (HIDDEN_WIDTHS * (long) spec.maxHidden() + RESIDUAL_WIDTHS * (long) Math.max(spec.width(), spec.maxQueryWidth()));
    return new MemoryNeed(file.tensors().stream().mapToLong(MemoryNeed::loaded).sum(), shape.sequenceBytes(spec.context()), scratch, spec.context(), format);
  }

  /** Bytes of a tensor of a model that can be run, as it is kept. */
  private static long loaded(GgufTensor tensor) {
    return tensor.shape().size() == 1
        ? Float.BYTES * tensor.elements()
        : TileMapping.require(tensor.type()).bytes((int) tensor.rows(), (int) tensor.columns());
  }
}
