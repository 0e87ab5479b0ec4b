package dev.nibble.model;

import dev.nibble.format.ModelFile;
import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.kernel.KernelMode;
import dev.nibble.kernel.NumericFormat;
import dev.nibble.kernel.Products;
import dev.nibble.kernel.TiledMatrix;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.kvcache.KvCacheFormat;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** Makes a Llama of a model file: checks its metadata and shapes, and has its matrices arranged in tiles where the file does not hold them so. */
public final class LlamaLoader {
  private static final String ARCHITECTURE = "llama";
  private static final double DEFAULT_ROPE_BASE = 10000; // GGUF specification
  private static final int MOST = 1 << 24; // of any size: keeps products of two within a long, and typing errors out

  /** Told of each tensor packed. */
  @FunctionalInterface
  public interface Progress {
    void packed(long bytes, long totalBytes);
  }

  /**
   * A model ready to compute.
   *
   * @param kernels the code chosen for this process
   * @param threads that compute
   * @param formats of its matrices
   */
  public record Loaded(LlamaModel model, KernelMode.Choice kernels, int threads, Set<NumericFormat> formats) {}

  private final ModelFile file;
  private final GgufMetadata metadata;
  private final WorkerPool pool; // null where the model is only checked
  private final Progress progress;
  private final Set<String> used = new HashSet<>();
  private final Set<NumericFormat> formats = EnumSet.noneOf(NumericFormat.class);
  private final long total;
  private long done;

  private LlamaLoader(ModelFile file, WorkerPool pool, Progress progress) {
    this.file = file;
    this.metadata = file.metadata();
    this.pool = pool;
    this.progress = progress;
    total = file.tensors().stream().mapToLong(GgufTensor::bytes).sum();
  }

  /**
   * Loads a model.
   *
   * @param threads that compute; they live as long as the process
   * @throws InvalidModelException if the file's model is of another kind, or its parts do not go together
   * @throws IOException if the file can't be read
   */
  public static Loaded load(ModelFile file, int threads, KvCacheFormat cache, Progress progress) throws IOException {
    KernelMode.Choice choice = KernelMode.detect();
    LlamaLoader loader = new LlamaLoader(file, new WorkerPool(threads), progress);
    try {
      LlamaConfig config = loader.config();
      LlamaWeights weights = loader.weights(config);
      return new Loaded(new LlamaModel(config, weights, new Products(loader.pool, choice.mode()), cache), choice, threads, loader.formats);
    } catch (RuntimeException | IOException e) {
      loader.pool.close();
      throw e;
    }
  }

  /**
   * Checks that a model can be run, as far as that goes without reading its matrices.
   *
   * @throws InvalidModelException if not
   * @throws IOException if the file can't be read
   */
  public static void check(ModelFile file) throws IOException {
    LlamaLoader loader = new LlamaLoader(file, null, (done, total) -> {});
    loader.weights(loader.config());
  }

  private InvalidModelException invalid(String what) {
    return new InvalidModelException("the model in " + file.name() + " can't be run: " + what);
  }

  private LlamaConfig config() throws InvalidModelException {
    String architecture = metadata.requireString("general.architecture");
    if (!architecture.equals(ARCHITECTURE)) {
      throw invalid("its architecture is \"" + architecture + "\"; supported: " + ARCHITECTURE);
    }
    String scaling = metadata.string("llama.rope.scaling.type").orElse("none");
    if (!scaling.equals("none") || file.find("rope_freqs.weight").isPresent()) {
      throw invalid("RoPE scaling is not supported");
    }
    int width = size("embedding_length");
    int heads = size("attention.head_count");
    int keyValueHeads = metadata.find("llama.attention.head_count_kv").isPresent() ? size("attention.head_count_kv") : heads;
    boolean ownLength = metadata.find("llama.attention.key_length").isPresent();
    int headWidth = ownLength ? size("attention.key_length") : width / heads;
    if (ownLength && metadata.find("llama.attention.value_length").isPresent() && size("attention.value_length") != headWidth) {
      throw invalid("heads of keys and values have different widths");
    }
    if (metadata.find("llama.rope.dimension_count").isPresent() && size("rope.dimension_count") != headWidth) {
      throw invalid("only a part of each head is rotated");
    }
    if (heads % keyValueHeads != 0 || headWidth == 0 || headWidth % 2 != 0) {
      throw invalid(heads + " heads of width " + headWidth + " do not go with " + keyValueHeads + " key-value heads");
    }
    double epsilon = metadata.number("llama.attention.layer_norm_rms_epsilon").orElseThrow(() -> metadata.missing("llama.attention.layer_norm_rms_epsilon"));
    double base = metadata.number("llama.rope.freq_base").orElse(DEFAULT_ROPE_BASE);
    if (!(epsilon >= 0 && epsilon < 1) || !(base > 0 && base < Float.MAX_VALUE)) {
      throw invalid("RMSNorm epsilon " + epsilon + " or RoPE base " + base + " is out of range");
    }
    long vocabulary = require("token_embd.weight").rows();
    if (vocabulary < 1 || vocabulary > MOST) {
      throw invalid("its vocabulary has " + vocabulary + " tokens");
    }
    return new LlamaConfig(width, size("feed_forward_length"), size("block_count"), heads, keyValueHeads, headWidth, (int) vocabulary,
        size("context_length"), (float) epsilon, (float) base, LlamaConfig.RopePairs.ADJACENT);
  }

  private int size(String key) {
    return metadata.requireInteger("llama." + key, 1, MOST);
  }

  private LlamaWeights weights(LlamaConfig config) throws IOException {
    int width = config.width();
    TiledMatrix embedding = matrix("token_embd", config.vocabulary(), width);
    List<LlamaWeights.Layer> layers = new ArrayList<>();
    for (int i = 0; i < config.layers(); i++) {
      String block = "blk." + i + ".";
      layers.add(new LlamaWeights.Layer(vector(block + "attn_norm", width), matrix(block + "attn_q", config.queryWidth(), width),
          matrix(block + "attn_k", config.keyValueWidth(), width), matrix(block + "attn_v", config.keyValueWidth(), width),
          matrix(block + "attn_output", width, config.queryWidth()), vector(block + "ffn_norm", width), matrix(block + "ffn_gate", config.hidden(), width),
          matrix(block + "ffn_up", config.hidden(), width), matrix(block + "ffn_down", width, config.hidden())));
    }
    float[] outputNorm = vector("output_norm", width);
    TiledMatrix output = file.find("output.weight").isPresent() ? matrix("output", config.vocabulary(), width) : embedding;
    for (GgufTensor tensor : file.tensors()) {
      if (!used.contains(tensor.name())) {
        throw invalid("tensor " + tensor.name() + " has no place in a plain Llama; running without it would change the model");
      }
    }
    return new LlamaWeights(embedding, layers, outputNorm, output);
  }

  private GgufTensor require(String name) throws InvalidModelException {
    return file.find(name).orElseThrow(() -> invalid("tensor " + name + " is missing"));
  }

  private GgufTensor require(String name, List<Long> shape) throws InvalidModelException {
    GgufTensor tensor = require(name + ".weight");
    if (!tensor.shape().equals(shape)) {
      throw invalid("tensor " + tensor.name() + " has shape " + tensor.shape() + ", but the metadata imply " + shape);
    }
    used.add(tensor.name());
    return tensor;
  }

  private TiledMatrix matrix(String name, int rows, int columns) throws IOException {
    GgufTensor tensor = require(name, List.of((long) columns, (long) rows));
    NumericFormat format = tensor.format().orElseThrow(() -> invalid("tensor " + tensor.name() + " is " + tensor.type() + "; supported: "
        + Arrays.stream(NumericFormat.values()).map(Enum::name).collect(Collectors.joining(", "))));
    formats.add(format);
    if (pool == null) {
      return null;
    }
    TiledMatrix matrix;
    try {
      matrix = file.matrix(tensor, format, rows, columns, pool);
    } catch (IllegalArgumentException e) {
      throw invalid("tensor " + tensor.name() + ": " + e.getMessage());
    }
    report(tensor);
    return matrix;
  }

  private float[] vector(String name, int length) throws IOException {
    GgufTensor tensor = require(name, List.of((long) length));
    if (tensor.format().orElse(null) != NumericFormat.F32) {
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
