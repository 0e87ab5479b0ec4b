package dev.nibble.model;

import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.kernel.Kernels;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.Products;
import dev.nibble.kernel.TiledMatrix;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.kernel.tile.TileMapping;
import dev.nibble.model.family.Families;
import dev.nibble.model.family.Family;
import dev.nibble.model.family.Hyperparameters;
import dev.nibble.model.family.TensorRole;
import dev.nibble.model.family.TensorSpec;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;

/** Makes a decoder of a model file: has a family read it, checks shapes, and has its matrices arranged in tiles where the file does not hold them so. */
public final class DecoderLoader {
  private static final String EMBEDDING = "token_embd.weight"; // in files of every family: its rows tell the number of tokens
  private static final String TOKENS = "tokenizer.ggml.tokens";
  private static final String BEGINNING = "tokenizer.ggml.bos_token_id";

  /** Told of each tensor packed. */
  @FunctionalInterface
  public interface Progress {
    void packed(long bytes, long totalBytes);

    /** A sentence about what is odd in the file and does no harm, or what is lost of its weights. */
    default void remark(String sentence) {}

    /** Told once, before memory is taken for weights. */
    default void planned(MemoryPlan plan) {}
  }

  /**
   * A model ready to compute. Closing it gives its weights' memory back: nobody may compute with it any more.
   *
   * @param kernels the code chosen for this process
   * @param threads that compute
   * @param formats of its matrices
   * @param memory of the weights
   */
  public record Loaded(Decoder model, Kernels kernels, int threads, Set<TensorFormat> formats, NativeMemory memory)
      implements AutoCloseable {
    @Override
    public void close() {
      memory.close();
    }
  }

  private final ModelFile file;
  private final Family family;
  private final WorkerPool pool; // null where the model is only checked
  private final NativeMemory memory;
  private final Progress progress;
  private final Set<TensorFormat> formats = EnumSet.noneOf(TensorFormat.class);
  private final long total;
  private long done;

  private DecoderLoader(ModelFile file, Families families, WorkerPool pool, NativeMemory memory, Progress progress) throws InvalidModelException {
    this.file = file;
    this.family = families.of(file.metadata());
    this.pool = pool;
    this.memory = memory;
    this.progress = progress;
    total = file.tensors().stream().mapToLong(GgufTensor::bytes).sum();
  }

  /** Loads a model of a family that comes with Nibble. See {@link #load(ModelFile, Families, WorkerPool, KvCacheOptions, Progress)}. */
  public static Loaded load(ModelFile file, WorkerPool pool, KvCacheOptions cache, Progress progress) throws IOException {
    return load(file, Families.KNOWN, pool, cache, progress);
  }

  /**
   * Loads a model.
   *
   * @param families that it may be of
   * @param pool the threads that compute, which stay the caller's
   * @throws InvalidModelException if the file's model is of another kind, or its parts do not go together
   * @throws IOException if the file can't be read
   */
  public static Loaded load(ModelFile file, Families families, WorkerPool pool, KvCacheOptions cache, Progress progress) throws IOException {
    Kernels kernels = Kernels.choose();
    NativeMemory memory = new NativeMemory();
    try {
      DecoderLoader loader = new DecoderLoader(file, families, pool, memory, progress);
      Decoder model = loader.decoder(new Products(pool, kernels.provider()), cache);
      loader.firstPass(model);
      loader.tellLosses();
      return new Loaded(model, kernels, pool.size(), loader.formats, memory);
    } catch (RuntimeException | IOException | Error e) {
      memory.close();
      throw e;
    }
  }

  /**
   * Makes a model that computes with given workers and keeps its weights in given memory, which stay the caller's.
   *
   * @throws InvalidModelException if the file's model is of another kind, or its parts do not go together
   * @throws IOException if the file can't be read
   */
  public static Decoder load(ModelFile file, Families families, Products products, NativeMemory memory, KvCacheOptions cache) throws IOException {
    return new DecoderLoader(file, families, products.pool(), memory, (done, total) -> {}).decoder(products, cache);
  }

  private void tellLosses() {
    for (TensorFormat format : formats) {
      switch (TileMapping.of(format)) {
        case TileMapping.Rounded rounded -> progress.remark("Weights of " + file.name() + " in " + format + " are computed with a loss: " + rounded.loss() + ".");
        case TileMapping.Exact exact -> {
          // nothing to tell
        }
        case TileMapping.None none -> throw new IllegalStateException(format + " was refused");
      }
    }
  }

  private Decoder decoder(Products products, KvCacheOptions cache) throws IOException {
    DecoderSpec spec = spec();
    if (cache.rotate() && Integer.bitCount(spec.headWidth()) != 1) {
      throw invalid("its heads have " + spec.headWidth() + " channels; --kv-rotate (nibble.kv.rotate) needs a power of two");
    }
    long parameters = file.tensors().stream().mapToLong(GgufTensor::elements).sum();
    DecoderWeights weights = weights(spec);
    Decoder model = new Decoder(spec, weights, products, cache.resolve(parameters), cache.memoryLimit());
    if (model.longestSequence() < 1) {
      throw invalid("64 tokens' keys and values take " + model.pages().shape().exactPageBytes() + " bytes, but --kv-memory (nibble.kv.memory) allows "
          + cache.memoryLimit());
    }
    return model;
  }

  /**
   * Checks that a model can be run, as far as that goes without reading its matrices.
   *
   * @return what it is
   * @throws InvalidModelException if not
   * @throws IOException if the file can't be read
   */
  public static DecoderSpec check(ModelFile file) throws IOException {
    DecoderLoader loader = new DecoderLoader(file, Families.KNOWN, null, null, (done, total) -> {});
    DecoderSpec spec = loader.spec();
    loader.weights(spec);
    return spec;
  }

  /**
   * What a model is by its metadata, whatever its tensors are.
   *
   * @throws InvalidModelException if it is of a kind that can't be run
   */
  public static DecoderSpec spec(ModelFile file) throws InvalidModelException {
    return new DecoderLoader(file, Families.KNOWN, null, null, (done, total) -> {}).spec();
  }

  private InvalidModelException invalid(String what) {
    return new InvalidModelException("the model in " + file.name() + " can't be run: " + what);
  }

  private DecoderSpec spec() throws InvalidModelException {
    long vocabulary = file.find(EMBEDDING).orElseThrow(() -> invalid("tensor " + EMBEDDING + " is missing")).rows();
    DecoderSpec spec = family.spec(new Hyperparameters(file.metadata(), vocabulary));
    String size = family.architecture() + ".vocab_size";
    OptionalLong told = file.metadata().integer(size);
    if (file.metadata().find(TOKENS).isPresent()) {
      requireRows(vocabulary, "the number of its tokens is", OptionalLong.of(file.metadata().strings(TOKENS).orElseThrow().size()));
      if (told.isPresent() && told.getAsLong() != vocabulary) {
        progress.remark("Metadata " + size + " of " + file.name() + " is " + told.getAsLong() + ", which is passed over: it has " + vocabulary + " tokens.");
      }
    } else {
      requireRows(vocabulary, "metadata " + size + " is", told);
    }
    return spec;
  }

  private void requireRows(long rows, String what, OptionalLong number) throws InvalidModelException {
    if (number.isPresent() && number.getAsLong() != rows) {
      throw invalid(what + " " + number.getAsLong() + ", but tensor " + EMBEDDING + " has " + rows + " rows");
    }
  }

  /** Computes one token: a model whose weights are damaged, or overflow, is found before anybody waits for its answers. */
  private void firstPass(Decoder model) throws InvalidModelException {
    long id = file.metadata().integer(BEGINNING).orElse(0);
    float[] logits = new float[model.vocabularySize()];
    try (LanguageModel.Sequence sequence = model.newSequence(1)) {
      sequence.append(new int[] {id >= 0 && id < logits.length ? (int) id : 0}, 0, 1, logits);
    }
    for (int i = 0; i < logits.length; i++) {
      if (!Float.isFinite(logits[i])) {
        throw invalid("its first pass gives token " + i + " a logit that is " + logits[i] + ": weights are damaged, or exceed what floats hold");
      }
    }
  }

  private record Place(TensorRole role, int layer) {}

  /** The weights of a file by their roles. */
  private record Read(Map<Place, TiledMatrix> matrices, Map<Place, float[]> vectors, Map<Place, String> names) implements DecoderTensors {
    private static final float[] NONE = {};

    @Override
    public TiledMatrix matrix(TensorRole role, int layer) {
      return matrices.get(new Place(role, layer));
    }

    @Override
    public float[] vector(TensorRole role, int layer) {
      return vectors.getOrDefault(new Place(role, layer), NONE);
    }

    @Override
    public String name(TensorRole role, int layer) {
      return names.getOrDefault(new Place(role, layer), "");
    }
  }

  private DecoderWeights weights(DecoderSpec spec) throws IOException {
    Read read = new Read(new HashMap<>(), new HashMap<>(), new HashMap<>());
    Set<String> used = new HashSet<>();
    for (TensorSpec wanted : family.tensors(spec)) {
      if (wanted.optional() && file.find(wanted.ggufName()).isEmpty()) {
        continue;
      }
      GgufTensor tensor = require(wanted);
      used.add(tensor.name());
      Place place = new Place(wanted.role(), wanted.layer());
      read.names().put(place, tensor.name());
      if (wanted.vector()) {
        read.vectors().put(place, vector(tensor));
      } else {
        read.matrices().put(place, matrix(tensor, wanted.rows(), wanted.columns()));
      }
    }
    for (GgufTensor tensor : file.tensors()) {
      if (!used.contains(tensor.name())) {
        throw invalid(
            "tensor " + tensor.name() + " has no place in a plain " + family.architecture() + " model; running without it would change the model");
      }
    }
    try {
      return DecoderWeights.of(spec, read);
    } catch (IllegalArgumentException e) {
      throw invalid(e.getMessage());
    }
  }

  private GgufTensor require(TensorSpec wanted) throws InvalidModelException {
    GgufTensor tensor = file.find(wanted.ggufName()).orElseThrow(() -> invalid("tensor " + wanted.ggufName() + " is missing"));
    if (!tensor.shape().equals(wanted.ggufShape())) {
      throw invalid("tensor " + tensor.name() + " has shape " + tensor.shape() + ", but the metadata imply " + wanted.ggufShape());
    }
    return tensor;
  }

  /** Null where the model is only checked. */
  private TiledMatrix matrix(GgufTensor tensor, int rows, int columns) throws IOException {
    if (TileMapping.of(tensor.type()) instanceof TileMapping.None none) {
      throw invalid("tensor " + tensor.name() + " is " + tensor.type() + ": " + none.reason() + "; supported: " + TileMapping.names());
    }
    formats.add(tensor.type());
    if (pool == null) {
      return null;
    }
    TiledMatrix matrix;
    try {
      matrix = file.matrix(tensor, rows, columns, memory, pool);
    } catch (IllegalArgumentException e) {
      throw invalid("tensor " + tensor.name() + ": " + e.getMessage());
    }
    report(tensor);
    return matrix;
  }

  private float[] vector(GgufTensor tensor) throws IOException {
    if (tensor.type() != TensorFormat.F32) {
      throw invalid("tensor " + tensor.name() + " is " + tensor.type() + "; vectors must be F32");
    }
    float[] values = file.vector(tensor);
    for (float value : values) {
      if (!Float.isFinite(value)) {
        throw invalid("tensor " + tensor.name() + " has a weight that is not finite");
      }
    }
    report(tensor);
    return values;
  }

  private void report(GgufTensor tensor) {
    done += tensor.bytes();
    progress.packed(done, total);
  }
}
