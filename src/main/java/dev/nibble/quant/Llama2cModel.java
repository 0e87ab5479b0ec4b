package dev.nibble.quant;

import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.llama2c.Llama2cCheckpoint;
import dev.nibble.format.llama2c.Llama2cConfig;
import dev.nibble.format.llama2c.Llama2cRole;
import dev.nibble.format.llama2c.Llama2cTensor;
import dev.nibble.model.family.Families;
import dev.nibble.model.family.Family;
import dev.nibble.model.family.Hyperparameters;
import dev.nibble.model.family.TensorRole;
import dev.nibble.model.family.TensorSpec;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A llama2.c checkpoint to convert. Its RoPE pairs are adjacent as GGUF's are, so rows stay in place. */
public final class Llama2cModel implements ModelSource {
  /** Fixed in llama2.c's code, not in its files. */
  private static final float NORM_EPSILON = 1e-5f;
  private static final float ROPE_BASE = 10000f;
  private static final List<String> TOKENIZER_NAMES = List.of("tokenizer.bin", "tok512.bin");

  private final Llama2cCheckpoint checkpoint;
  private final Map<String, GgufValue> metadata;
  private final List<SourceTensor> tensors;

  private Llama2cModel(Llama2cCheckpoint checkpoint) throws IOException {
    this.checkpoint = checkpoint;
    Llama2cConfig config = checkpoint.config();
    metadata = metadata(config);
    GgufMetadata gguf = new GgufMetadata(checkpoint.path().toString(), metadata);
    Family family = Families.KNOWN.of(gguf);
    List<SourceTensor> list = new ArrayList<>();
    for (TensorSpec wanted : family.tensors(family.spec(new Hyperparameters(gguf, config.vocabularySize())))) {
      role(wanted.role()).filter(role -> role != Llama2cRole.OUTPUT || !config.sharedClassifier()).ifPresent(role -> {
        Llama2cTensor tensor = checkpoint.tensor(role, Math.max(0, wanted.layer()));
        int columns = tensor.columns();
        list.add(new SourceTensor(wanted.ggufName(), tensor.rows(), columns, wanted.vector(), TensorFormat.F32,
            (firstRow, rowCount, out) -> tensor.readFloats((long) firstRow * columns, out, rowCount * columns)));
      });
    }
    tensors = List.copyOf(list);
  }

  /**
   * Opens a checkpoint of any of the three versions.
   *
   * @throws IOException if it is damaged or cannot be read
   */
  public static Llama2cModel open(Path file) throws IOException {
    return new Llama2cModel(Llama2cCheckpoint.open(file));
  }

  private static Map<String, GgufValue> metadata(Llama2cConfig config) {
    Map<String, GgufValue> metadata = new LinkedHashMap<>();
    metadata.put("general.architecture", GgufValue.text("llama"));
    metadata.put("llama.block_count", GgufValue.uint32(config.layers()));
    metadata.put("llama.context_length", GgufValue.uint32(config.sequenceLength()));
    metadata.put("llama.embedding_length", GgufValue.uint32(config.dimension()));
    metadata.put("llama.feed_forward_length", GgufValue.uint32(config.hiddenDimension()));
    metadata.put("llama.attention.head_count", GgufValue.uint32(config.heads()));
    metadata.put("llama.attention.head_count_kv", GgufValue.uint32(config.keyValueHeads()));
    metadata.put("llama.attention.layer_norm_rms_epsilon", GgufValue.float32(NORM_EPSILON));
    metadata.put("llama.rope.dimension_count", GgufValue.uint32(config.headDimension()));
    metadata.put("llama.rope.freq_base", GgufValue.float32(ROPE_BASE));
    metadata.put("llama.vocab_size", GgufValue.uint32(config.vocabularySize()));
    return metadata;
  }

  /** What a checkpoint calls a tensor; empty for those that it never has. */
  private static Optional<Llama2cRole> role(TensorRole role) {
    return switch (role) {
      case TOKEN_EMBEDDING -> Optional.of(Llama2cRole.TOKEN_EMBEDDING);
      case ATTENTION_NORM -> Optional.of(Llama2cRole.ATTENTION_NORM);
      case QUERY -> Optional.of(Llama2cRole.QUERY);
      case KEY -> Optional.of(Llama2cRole.KEY);
      case VALUE -> Optional.of(Llama2cRole.VALUE);
      case ATTENTION_OUTPUT -> Optional.of(Llama2cRole.ATTENTION_OUTPUT);
      case FEED_FORWARD_NORM -> Optional.of(Llama2cRole.FEED_FORWARD_NORM);
      case GATE -> Optional.of(Llama2cRole.FEED_FORWARD_GATE);
      case UP -> Optional.of(Llama2cRole.FEED_FORWARD_UP);
      case DOWN -> Optional.of(Llama2cRole.FEED_FORWARD_DOWN);
      case OUTPUT_NORM -> Optional.of(Llama2cRole.OUTPUT_NORM);
      case OUTPUT -> Optional.of(Llama2cRole.OUTPUT);
      case QUERY_BIAS, KEY_BIAS, VALUE_BIAS, QUERY_KEY_VALUE, QUERY_NORM, KEY_NORM, ATTENTION_OUTPUT_BIAS, AFTER_ATTENTION_NORM, GATE_BIAS, UP_BIAS, GATE_UP,
          DOWN_BIAS, AFTER_FEED_FORWARD_NORM, ROPE_FACTORS, ROPE_FACTORS_LONG, ROPE_FACTORS_SHORT -> Optional.empty();
    };
  }

  /** The tokenizer file lying beside a checkpoint, if there is one under a usual name. */
  public static Optional<Path> tokenizerBeside(Path checkpoint) {
    return TOKENIZER_NAMES.stream().map(checkpoint.toAbsolutePath()::resolveSibling).filter(Files::isRegularFile).findFirst();
  }

  @Override
  public String name() {
    String file = checkpoint.path().getFileName().toString();
    return file.endsWith(".bin") ? file.substring(0, file.length() - 4) : file;
  }

  @Override
  public Path weightsFile() {
    return checkpoint.path();
  }

  @Override
  public Map<String, GgufValue> metadata() {
    return metadata;
  }

  @Override
  public List<SourceTensor> tensors() {
    return tensors;
  }
}
