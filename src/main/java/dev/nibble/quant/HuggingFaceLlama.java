package dev.nibble.quant;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.nibble.format.safetensors.SafetensorsFile;
import dev.nibble.format.safetensors.SafetensorsTensor;
import dev.nibble.kernel.NumericFormat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * A Hugging Face folder to convert: {@code config.json} of a LlamaForCausalLM and one {@code model.safetensors} in F32, F16 or BF16.
 *
 * <p>Hugging Face rotates elements i and i + head/2 of a head; GGUF's llama architecture rotates 2i and 2i + 1. So rows of the
 * query and key projections are reordered head by head: row 2i + j of a head is taken from row j × head/2 + i.
 */
public final class HuggingFaceLlama implements ModelSource {
  private static final String ARCHITECTURE = "LlamaForCausalLM";
  private static final float DEFAULT_ROPE_BASE = 10000f;

  private final Path directory;
  private final SafetensorsFile file;
  private final LlamaShape shape;
  private final List<SourceTensor> tensors = new ArrayList<>();
  private final Set<String> used = new HashSet<>();

  private HuggingFaceLlama(Path directory, SafetensorsFile file, LlamaShape shape) throws UnsupportedModelException {
    this.directory = directory;
    this.file = file;
    this.shape = shape;
    int width = shape.embeddingLength();
    int hidden = shape.feedForwardLength();
    addMatrix("token_embd", "model.embed_tokens", shape.vocabularySize(), width, false);
    for (int layer = 0; layer < shape.blockCount(); layer++) {
      String block = "blk." + layer + ".";
      String from = "model.layers." + layer + ".";
      addVector(block + "attn_norm", from + "input_layernorm", width);
      addMatrix(block + "attn_q", from + "self_attn.q_proj", shape.queryLength(), width, true);
      addMatrix(block + "attn_k", from + "self_attn.k_proj", shape.keyValueLength(), width, true);
      addMatrix(block + "attn_v", from + "self_attn.v_proj", shape.keyValueLength(), width, false);
      addMatrix(block + "attn_output", from + "self_attn.o_proj", width, shape.queryLength(), false);
      addVector(block + "ffn_norm", from + "post_attention_layernorm", width);
      addMatrix(block + "ffn_gate", from + "mlp.gate_proj", hidden, width, false);
      addMatrix(block + "ffn_up", from + "mlp.up_proj", hidden, width, false);
      addMatrix(block + "ffn_down", from + "mlp.down_proj", width, hidden, false);
    }
    addVector("output_norm", "model.norm", width);
    if (!shape.sharedOutput()) {
      addMatrix("output", "lm_head", shape.vocabularySize(), width, false);
    }
    for (SafetensorsTensor tensor : file.tensors()) {
      // Tied heads are sometimes stored twice, and old checkpoints carry the RoPE frequencies; neither is needed.
      boolean redundant = tensor.name().endsWith("rotary_emb.inv_freq") || shape.sharedOutput() && tensor.name().equals("lm_head.weight");
      if (!used.contains(tensor.name()) && !redundant) {
        throw new UnsupportedModelException("tensor " + tensor.name() + " of " + file.path() + " has no place in a plain Llama; "
            + "converting without it would change the model");
      }
    }
  }

  /**
   * Opens a folder and checks its configuration and its tensors' names, types and shapes.
   *
   * @throws UnsupportedModelException if the model is of another kind
   * @throws IOException if a file is damaged or cannot be read
   */
  public static HuggingFaceLlama open(Path directory) throws IOException {
    Path configFile = directory.resolve("config.json");
    if (!Files.isRegularFile(configFile)) {
      throw new UnsupportedModelException("no config.json in " + directory);
    }
    LlamaShape shape = readShape(configFile);
    Path weights = directory.resolve("model.safetensors");
    if (!Files.isRegularFile(weights)) {
      if (Files.exists(directory.resolve("model.safetensors.index.json"))) {
        throw new UnsupportedModelException("the weights in " + directory + " are sharded over several files, which is not supported; "
            + "save them as one model.safetensors");
      }
      throw new UnsupportedModelException("no model.safetensors in " + directory);
    }
    return new HuggingFaceLlama(directory, SafetensorsFile.open(weights), shape);
  }

  private static LlamaShape readShape(Path configFile) throws IOException {
    JsonNode root;
    try {
      root = new ObjectMapper().readTree(Files.readAllBytes(configFile));
    } catch (JsonProcessingException e) {
      throw new IOException("invalid JSON in " + configFile + ": " + e.getOriginalMessage() + " at byte "
          + (e.getLocation() == null ? 0 : e.getLocation().getByteOffset()), e);
    }
    Config config = new Config(configFile, root);
    JsonNode architectures = root.path("architectures");
    if (architectures.size() != 1 || !ARCHITECTURE.equals(architectures.get(0).asText())) {
      throw config.unsupported("architectures is " + architectures + "; only [\"" + ARCHITECTURE + "\"] can be converted");
    }
    String activation = root.path("hidden_act").asText("silu");
    if (!activation.equals("silu")) {
      throw config.unsupported("hidden_act is \"" + activation + "\"; only \"silu\" is supported");
    }
    for (String bias : List.of("attention_bias", "mlp_bias")) {
      if (root.path(bias).asBoolean(false)) {
        throw config.unsupported(bias + " is set; biases are not supported");
      }
    }
    // "rope_scaling" until version 4 of the transformers library, "rope_parameters" (which holds theta too) since version 5.
    JsonNode rope = root.path(root.hasNonNull("rope_parameters") ? "rope_parameters" : "rope_scaling");
    String ropeType = rope.path("rope_type").asText(rope.path("type").asText("default"));
    if (!ropeType.equals("default")) {
      throw config.unsupported("RoPE scaling of type \"" + ropeType + "\" is not supported");
    }
    int width = config.whole("hidden_size");
    int heads = config.whole("num_attention_heads");
    int headLength = root.hasNonNull("head_dim") ? config.whole("head_dim") : width / Math.max(1, heads);
    int keyValueHeads = root.hasNonNull("num_key_value_heads") ? config.whole("num_key_value_heads") : heads;
    double ropeBase = root.path("rope_theta").asDouble(rope.path("rope_theta").asDouble(DEFAULT_ROPE_BASE));
    return new LlamaShape(width, config.whole("intermediate_size"), config.whole("num_hidden_layers"), heads, keyValueHeads, headLength,
        config.whole("vocab_size"), config.whole("max_position_embeddings"), (float) config.number("rms_norm_eps"), (float) ropeBase,
        root.path("tie_word_embeddings").asBoolean(false)).checked();
  }

  private record Config(Path file, JsonNode root) {
    int whole(String name) throws UnsupportedModelException {
      JsonNode node = root.path(name);
      if (!node.canConvertToInt() || !node.isIntegralNumber() || node.intValue() <= 0) {
        throw unsupported(name + " is " + (node.isMissingNode() ? "missing" : node.toString()) + ", not a positive whole number");
      }
      return node.intValue();
    }

    double number(String name) throws UnsupportedModelException {
      JsonNode node = root.path(name);
      if (!node.isNumber()) {
        throw unsupported(name + " is " + (node.isMissingNode() ? "missing" : node.toString()) + ", not a number");
      }
      return node.doubleValue();
    }

    UnsupportedModelException unsupported(String what) {
      return new UnsupportedModelException("cannot convert the model of " + file + ": " + what);
    }
  }

  private void addVector(String name, String from, int length) throws UnsupportedModelException {
    SafetensorsTensor tensor = require(from + ".weight", List.of((long) length));
    tensors.add(new SourceTensor(name + ".weight", 1, length, true, exactFormat(tensor),
        (firstRow, rowCount, out) -> tensor.readFloats(0, out, rowCount * length)));
  }

  private void addMatrix(String name, String from, int rows, int columns, boolean rotated) throws UnsupportedModelException {
    SafetensorsTensor tensor = require(from + ".weight", List.of((long) rows, (long) columns));
    int headLength = shape.headLength();
    SourceTensor.RowReader reader = rotated
        ? (firstRow, rowCount, out) -> {
          for (int row = 0; row < rowCount; row++) {
            tensor.readFloats((long) rotatedRow(firstRow + row, headLength) * columns, out, row * columns, columns);
          }
        }
        : (firstRow, rowCount, out) -> tensor.readFloats((long) firstRow * columns, out, rowCount * columns);
    tensors.add(new SourceTensor(name + ".weight", rows, columns, false, exactFormat(tensor), reader));
  }

  /** The Hugging Face row that GGUF's {@code row} of a query or key projection is. */
  static int rotatedRow(int row, int headLength) {
    int within = row % headLength;
    return row - within + within % 2 * (headLength / 2) + within / 2;
  }

  private SafetensorsTensor require(String name, List<Long> expected) throws UnsupportedModelException {
    SafetensorsTensor tensor = file.find(name)
        .orElseThrow(() -> new UnsupportedModelException("no tensor " + name + " in " + file.path()));
    if (!tensor.shape().equals(expected)) {
      throw new UnsupportedModelException(
          "tensor " + name + " of " + file.path() + " has shape " + tensor.shape() + ", but config.json implies " + expected);
    }
    exactFormat(tensor);
    used.add(name);
    return tensor;
  }

  private NumericFormat exactFormat(SafetensorsTensor tensor) throws UnsupportedModelException {
    return switch (tensor.type()) {
      case F32 -> NumericFormat.F32;
      case F16 -> NumericFormat.F16;
      case BF16 -> NumericFormat.BF16;
      case BOOL, U8, I8, F8_E5M2, F8_E4M3, I16, U16, I32, U32, I64, U64, F64 -> throw new UnsupportedModelException(
          "tensor " + tensor.name() + " of " + file.path() + " has type " + tensor.type() + "; only F32, F16 and BF16 can be converted");
    };
  }

  @Override
  public String name() {
    return directory.toAbsolutePath().normalize().getFileName().toString();
  }

  @Override
  public Path weightsFile() {
    return file.path();
  }

  @Override
  public LlamaShape shape() {
    return shape;
  }

  @Override
  public List<SourceTensor> tensors() {
    return List.copyOf(tensors);
  }
}
