package dev.nibble.quant;

import dev.nibble.format.llama2c.Llama2cCheckpoint;
import dev.nibble.format.llama2c.Llama2cConfig;
import dev.nibble.format.llama2c.Llama2cRole;
import dev.nibble.format.llama2c.Llama2cTensor;
import dev.nibble.kernel.NumericFormat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A llama2.c checkpoint to convert. Its RoPE pairs are adjacent as GGUF's are, so rows stay in place. */
public final class Llama2cModel implements ModelSource {
  /** Fixed in llama2.c's code, not in its files. */
  private static final float NORM_EPSILON = 1e-5f;
  private static final float ROPE_BASE = 10000f;
  private static final List<String> TOKENIZER_NAMES = List.of("tokenizer.bin", "tok512.bin");

  private final Llama2cCheckpoint checkpoint;
  private final LlamaShape shape;
  private final List<SourceTensor> tensors;

  private Llama2cModel(Llama2cCheckpoint checkpoint, LlamaShape shape) {
    this.checkpoint = checkpoint;
    this.shape = shape;
    List<SourceTensor> list = new ArrayList<>();
    add(list, "token_embd", Llama2cRole.TOKEN_EMBEDDING, 0);
    for (int layer = 0; layer < shape.blockCount(); layer++) {
      String block = "blk." + layer + ".";
      add(list, block + "attn_norm", Llama2cRole.ATTENTION_NORM, layer);
      add(list, block + "attn_q", Llama2cRole.QUERY, layer);
      add(list, block + "attn_k", Llama2cRole.KEY, layer);
      add(list, block + "attn_v", Llama2cRole.VALUE, layer);
      add(list, block + "attn_output", Llama2cRole.ATTENTION_OUTPUT, layer);
      add(list, block + "ffn_norm", Llama2cRole.FEED_FORWARD_NORM, layer);
      add(list, block + "ffn_gate", Llama2cRole.FEED_FORWARD_GATE, layer);
      add(list, block + "ffn_up", Llama2cRole.FEED_FORWARD_UP, layer);
      add(list, block + "ffn_down", Llama2cRole.FEED_FORWARD_DOWN, layer);
    }
    add(list, "output_norm", Llama2cRole.OUTPUT_NORM, 0);
    if (!shape.sharedOutput()) {
      add(list, "output", Llama2cRole.OUTPUT, 0);
    }
    tensors = List.copyOf(list);
  }

  /**
   * Opens a checkpoint of any of the three versions.
   *
   * @throws IOException if it is damaged or cannot be read
   */
  public static Llama2cModel open(Path file) throws IOException {
    Llama2cCheckpoint checkpoint = Llama2cCheckpoint.open(file);
    Llama2cConfig config = checkpoint.config();
    LlamaShape shape = new LlamaShape(config.dimension(), config.hiddenDimension(), config.layers(), config.heads(), config.keyValueHeads(),
        config.headDimension(), config.vocabularySize(), config.sequenceLength(), NORM_EPSILON, ROPE_BASE, config.sharedClassifier());
    return new Llama2cModel(checkpoint, shape.checked());
  }

  /** The tokenizer file lying beside a checkpoint, if there is one under a usual name. */
  public static Optional<Path> tokenizerBeside(Path checkpoint) {
    return TOKENIZER_NAMES.stream().map(checkpoint.toAbsolutePath()::resolveSibling).filter(Files::isRegularFile).findFirst();
  }

  private void add(List<SourceTensor> list, String name, Llama2cRole role, int layer) {
    Llama2cTensor tensor = checkpoint.tensor(role, layer);
    int columns = tensor.columns();
    list.add(new SourceTensor(name + ".weight", tensor.rows(), columns, !role.matrix(), NumericFormat.F32,
        (firstRow, rowCount, out) -> tensor.readFloats((long) firstRow * columns, out, rowCount * columns)));
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
  public LlamaShape shape() {
    return shape;
  }

  @Override
  public List<SourceTensor> tensors() {
    return tensors;
  }
}
