package dev.nibble.model;

import dev.nibble.format.ModelFile;
import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.kernel.KernelMode;
import dev.nibble.kernel.NumericFormat;
import dev.nibble.kernel.PageLayout;
import dev.nibble.kernel.Products;
import dev.nibble.kernel.TiledMatrix;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.kvcache.KvCacheOptions;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Makes a Llama or Qwen2 of a model file: checks its metadata and shapes, and has its matrices arranged in tiles where the file does not hold them so. */
public final class LlamaLoader {
  /** {@code general.architecture} of the models that run, and how their queries and keys are arranged. */
  private static final Map<String, LlamaConfig.RopePairs> ARCHITECTURES =
      new TreeMap<>(Map.of("llama", LlamaConfig.RopePairs.ADJACENT, "qwen2", LlamaConfig.RopePairs.HALVES));
  private static final String BIASED = "qwen2";
  private static final String BIAS = ".bias"; // ends these tensors' names; all others end in .weight
  private static final String TOKENS = "tokenizer.ggml.tokens";
  private static final String BEGINNING = "tokenizer.ggml.bos_token_id";
  private static final double LEAST_EPSILON = 1e-30; // squares of floats can be this small; below, a vector of zeros would divide by zero
  private static final double DEFAULT_ROPE_BASE = 10000; // GGUF specification
  private static final String ROPE_FACTORS = "rope_freqs"; // .weight: Llama 3.1's, as llama.cpp's converter writes them
  /** RoPE's frequencies are at most 1: divided by this and multiplied with the longest context, angles stay below 2^30, which sine and cosine take. */
  private static final double LEAST_ROPE_DIVISOR = 1.0 / 64;
  private static final int MOST = 1 << 24; // of any size: keeps products of two within a long, and typing errors out
  private static final int MAX_WIDTH = 1 << 18; // of any vector but logits: 256 tokens' worth of them is an array, and the widest known has 53,248
  private static final int MAX_LAYERS = 1 << 12;

  /** Told of each tensor packed. */
  @FunctionalInterface
  public interface Progress {
    void packed(long bytes, long totalBytes);

    /** Told once, before memory is taken for weights. */
    default void planned(MemoryPlan plan) {}
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
  private final String architecture;
  private final WorkerPool pool; // null where the model is only checked
  private final Progress progress;
  private final Set<String> used = new HashSet<>();
  private final Set<NumericFormat> formats = EnumSet.noneOf(NumericFormat.class);
  private final long total;
  private long done;

  private LlamaLoader(ModelFile file, String architecture, WorkerPool pool, Progress progress) {
    this.file = file;
    this.metadata = file.metadata();
    this.architecture = architecture;
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
  public static Loaded load(ModelFile file, int threads, KvCacheOptions cache, Progress progress) throws IOException {
    KernelMode.Choice choice = KernelMode.detect();
    LlamaLoader loader = new LlamaLoader(file, file.metadata().requireString("general.architecture"), new WorkerPool(threads), progress);
    try {
      LlamaConfig config = loader.config();
      if (cache.rotate() && Integer.bitCount(config.headWidth()) != 1) {
        throw loader.invalid("its heads have " + config.headWidth() + " channels; --kv-rotate (nibble.kv.rotate) needs a power of two");
      }
      long parameters = file.tensors().stream().mapToLong(GgufTensor::elements).sum();
      LlamaWeights weights = loader.weights(config);
      LlamaModel model = new LlamaModel(config, weights, new Products(loader.pool, choice.mode()), cache.resolve(parameters), cache.memoryLimit());
      if (model.longestSequence() < 1) {
        throw loader.invalid("64 tokens' keys and values take " + model.pages().shape().exactPageBytes() + " bytes, but --kv-memory (nibble.kv.memory) allows "
            + cache.memoryLimit());
      }
      loader.firstPass(model);
      return new Loaded(model, choice, threads, loader.formats);
    } catch (RuntimeException | IOException e) {
      loader.pool.close();
      throw e;
    }
  }

  /**
   * Checks that a model can be run, as far as that goes without reading its matrices.
   *
   * @return its hyperparameters
   * @throws InvalidModelException if not
   * @throws IOException if the file can't be read
   */
  public static LlamaConfig check(ModelFile file) throws IOException {
    LlamaLoader loader = new LlamaLoader(file, file.metadata().requireString("general.architecture"), null, (done, total) -> {});
    LlamaConfig config = loader.config();
    loader.weights(config);
    return config;
  }

  private InvalidModelException invalid(String what) {
    return new InvalidModelException("the model in " + file.name() + " can't be run: " + what);
  }

  private LlamaConfig config() throws InvalidModelException {
    if (!ARCHITECTURES.containsKey(architecture)) {
      throw invalid("its architecture is \"" + architecture + "\"; supported: " + String.join(", ", ARCHITECTURES.keySet()));
    }
    int width = size("embedding_length", MAX_WIDTH);
    int heads = size("attention.head_count", MAX_WIDTH);
    int keyValueHeads = metadata.find(key("attention.head_count_kv")).isPresent() ? size("attention.head_count_kv", MAX_WIDTH) : heads;
    boolean ownLength = metadata.find(key("attention.key_length")).isPresent();
    if (!ownLength && width % heads != 0) {
      throw invalid(heads + " heads do not divide a width of " + width);
    }
    int headWidth = ownLength ? size("attention.key_length", MAX_WIDTH) : width / heads;
    if (metadata.find(key("attention.value_length")).isPresent() && size("attention.value_length", MAX_WIDTH) != headWidth) {
      throw invalid("heads of keys and values have different widths");
    }
    if (metadata.find(key("rope.dimension_count")).isPresent() && size("rope.dimension_count", MAX_WIDTH) != headWidth) {
      throw invalid("only a part of each head is rotated");
    }
    if (heads % keyValueHeads != 0 || headWidth % 2 != 0) {
      throw invalid(heads + " heads of width " + headWidth + " do not go with " + keyValueHeads + " key-value heads");
    }
    int layers = size("block_count", MAX_LAYERS);
    if ((long) heads * headWidth > MAX_WIDTH || 2L * PageLayout.TOKENS * PageLayout.paddedWidth(headWidth) * keyValueHeads * layers > Integer.MAX_VALUE) {
      throw invalid(layers + " layers of " + heads + " heads (" + keyValueHeads + " for keys and values) of width " + headWidth + " are larger than anything that can be computed");
    }
    String epsilonKey = key("attention.layer_norm_rms_epsilon");
    double epsilon = metadata.number(epsilonKey).orElseThrow(() -> metadata.missing(epsilonKey));
    double base = metadata.number(key("rope.freq_base")).orElse(DEFAULT_ROPE_BASE);
    if (!(epsilon >= LEAST_EPSILON && epsilon < 1) || !(base >= 1 && base < Float.MAX_VALUE)) {
      throw invalid("RMSNorm epsilon " + epsilon + " or RoPE base " + base + " is out of range");
    }
    long vocabulary = require("token_embd.weight").rows();
    if (vocabulary < 1 || vocabulary > MOST) {
      throw invalid("its vocabulary has " + vocabulary + " tokens");
    }
    requireRows(vocabulary, "metadata " + key("vocab_size") + " is", metadata.integer(key("vocab_size")));
    requireRows(vocabulary, "the number of its tokens is",
        metadata.find(TOKENS).isPresent() ? OptionalLong.of(metadata.strings(TOKENS).orElseThrow().size()) : OptionalLong.empty());
    return new LlamaConfig(width, size("feed_forward_length", MAX_WIDTH), layers, heads, keyValueHeads, headWidth, (int) vocabulary,
        size("context_length", MOST), (float) epsilon, (float) base, ARCHITECTURES.get(architecture),
        metadata.find(key("attention.sliding_window")).isPresent() ? metadata.requireInteger(key("attention.sliding_window"), 0, MOST) : 0);
  }

  private void requireRows(long rows, String what, OptionalLong number) throws InvalidModelException {
    if (number.isPresent() && number.getAsLong() != rows) {
      throw invalid(what + " " + number.getAsLong() + ", but tensor token_embd.weight has " + rows + " rows");
    }
  }

  /** Computes one token: a model whose weights are damaged, or overflow, is found before anybody waits for its answers. */
  private void firstPass(LlamaModel model) throws InvalidModelException {
    long id = metadata.integer(BEGINNING).orElse(0);
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

  /** A key of the architecture's own. */
  private String key(String name) {
    return architecture + "." + name;
  }

  private int size(String name, int most) {
    return metadata.requireInteger(key(name), 1, most);
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
          matrix(block + "ffn_up", config.hidden(), width), matrix(block + "ffn_down", width, config.hidden()),
          new LlamaWeights.Biases(bias(block + "attn_q", config.queryWidth()), bias(block + "attn_k", config.keyValueWidth()),
              bias(block + "attn_v", config.keyValueWidth()))));
    }
    float[] outputNorm = vector("output_norm", width);
    double[] ropeDivisors = ropeDivisors(config.headWidth() / 2);
    TiledMatrix output = file.find("output.weight").isPresent() ? matrix("output", config.vocabulary(), width) : embedding;
    for (GgufTensor tensor : file.tensors()) {
      if (!used.contains(tensor.name())) {
        throw invalid("tensor " + tensor.name() + " has no place in a plain " + architecture + " model; running without it would change the model");
      }
    }
    return new LlamaWeights(embedding, layers, outputNorm, output, ropeDivisors);
  }

  /** What RoPE's frequencies are divided by: the factor of linear scaling × Llama 3.1's factors, where there are any. */
  private double[] ropeDivisors(int pairs) throws IOException {
    double linear = linearRopeFactor();
    boolean factors = architecture.equals("llama") && file.find(ROPE_FACTORS + ".weight").isPresent();
    if (!factors && linear == 1) {
      return new double[0];
    }
    double[] divisors = new double[pairs];
    Arrays.fill(divisors, linear);
    if (factors) {
      float[] values = vector(ROPE_FACTORS, pairs);
      for (int i = 0; i < pairs; i++) {
        divisors[i] *= values[i];
      }
    }
    for (double divisor : divisors) {
      if (!(divisor >= LEAST_ROPE_DIVISOR)) {
        throw invalid("RoPE's frequencies are divided by " + divisor + "; allowed: " + LEAST_ROPE_DIVISOR + " and more");
      }
    }
    return divisors;
  }

  /** 1 for none. A factor without a type is linear, as in llama.cpp; so is the older key. Other types change more than frequencies. */
  private double linearRopeFactor() throws InvalidModelException {
    String type = metadata.string(key("rope.scaling.type")).orElse("linear");
    if (!type.equals("none") && !type.equals("linear")) {
      throw invalid("RoPE scaling of type \"" + type + "\" is not supported; supported: none, linear, and Llama 3.1's factors (tensor " + ROPE_FACTORS + ".weight)");
    }
    double magnitude = metadata.number(key("rope.scaling.attn_factor")).orElse(1);
    if (magnitude != 1) {
      throw invalid(key("rope.scaling.attn_factor") + " is " + magnitude + "; only 1 is supported");
    }
    double factor = metadata.number(key("rope.scaling.factor")).orElse(metadata.number(key("rope.scale_linear")).orElse(0));
    if (type.equals("none") || factor == 0) { // 0 stands for no scaling in llama.cpp
      return 1;
    }
    if (!(factor >= LEAST_ROPE_DIVISOR && factor <= MOST)) {
      throw invalid("the factor of linear RoPE scaling is " + factor + "; allowed: " + LEAST_ROPE_DIVISOR + " to " + MOST);
    }
    return factor;
  }

  private GgufTensor require(String name) throws InvalidModelException {
    return file.find(name).orElseThrow(() -> invalid("tensor " + name + " is missing"));
  }

  private GgufTensor require(String name, List<Long> shape) throws InvalidModelException {
    GgufTensor tensor = require(name.endsWith(BIAS) ? name : name + ".weight");
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

  /** Empty where the model has none; Qwen2's always have them. */
  private float[] bias(String name, int length) throws IOException {
    return architecture.equals(BIASED) || file.find(name + BIAS).isPresent() ? vector(name + BIAS, length) : new float[0];
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
