package dev.nibble.quant;

import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.safetensors.SafetensorsFile;
import dev.nibble.format.safetensors.SafetensorsTensor;
import dev.nibble.model.family.Families;
import dev.nibble.model.family.Family;
import dev.nibble.model.family.HuggingFaceConfig;
import dev.nibble.model.family.Hyperparameters;
import dev.nibble.model.family.TensorRole;
import dev.nibble.model.family.TensorSpec;
import dev.nibble.model.family.TensorTransform;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A Hugging Face folder to convert: {@code config.json} of a family that is known and one {@code model.safetensors} in F32, F16 or BF16. */
public final class HuggingFaceModel implements ModelSource {
  private final Path directory;
  private final SafetensorsFile file;
  private final DecoderSpec spec;
  private final Map<String, GgufValue> metadata;
  private final List<SourceTensor> tensors = new ArrayList<>();

  private HuggingFaceModel(Path directory, SafetensorsFile file, HuggingFaceConfig config, Family family, Map<String, GgufValue> metadata) throws IOException {
    this.directory = directory;
    this.file = file;
    this.metadata = metadata;
    Map<TensorRole, float[]> computed = config.computed();
    Set<String> used = new HashSet<>();
    GgufMetadata gguf = new GgufMetadata(config.file().toString(), metadata);
    spec = family.spec(new Hyperparameters(gguf, config.vocabulary()));
    for (TensorSpec wanted : family.tensors(spec)) {
      if (wanted.huggingFaceName().isEmpty()) {
        float[] values = computed.get(wanted.role());
        if (values != null) {
          tensors.add(new SourceTensor(wanted.ggufName(), 1, values.length, true, TensorFormat.F32,
              (firstRow, rowCount, out) -> System.arraycopy(values, 0, out, 0, values.length)));
        }
      } else if (isThere(wanted, config)) {
        SafetensorsTensor tensor = require(wanted);
        used.add(tensor.name());
        tensors.add(new SourceTensor(wanted.ggufName(), wanted.rows(), wanted.columns(), wanted.vector(), exactFormat(tensor), reader(tensor, wanted)));
      }
    }
    for (SafetensorsTensor tensor : file.tensors()) {
      // Tied heads are sometimes stored twice, and old checkpoints carry the RoPE frequencies; neither is needed.
      boolean redundant = tensor.name().endsWith("rotary_emb.inv_freq") || config.tiedHead() && tensor.name().equals("lm_head.weight");
      if (!used.contains(tensor.name()) && !redundant) {
        throw new InvalidModelException("tensor " + tensor.name() + " of " + file.path() + " has no place in a plain " + family.architecture() + "; "
            + "converting without it would change the model");
      }
    }
  }

  /** Opens a folder with a model of a family that comes with Nibble. See {@link #open(Path, Families)}. */
  public static HuggingFaceModel open(Path directory) throws IOException {
    return open(directory, Families.KNOWN);
  }

  /**
   * Opens a folder and checks its configuration and its tensors' names, types and shapes.
   *
   * @param families that the model may be of
   * @throws InvalidModelException if the model is of another kind
   * @throws IOException if a file is damaged or cannot be read
   */
  public static HuggingFaceModel open(Path directory, Families families) throws IOException {
    HuggingFaceConfig config = HuggingFaceConfig.read(directory);
    Family family = config.family(families);
    Map<String, GgufValue> metadata = new LinkedHashMap<>();
    metadata.put("general.architecture", GgufValue.text(family.architecture()));
    metadata.putAll(config.common(family));
    metadata.putAll(family.metadata(config));
    Path weights = directory.resolve("model.safetensors");
    if (!Files.isRegularFile(weights)) {
      if (Files.exists(directory.resolve("model.safetensors.index.json"))) {
        throw new InvalidModelException("the weights in " + directory + " are sharded over several files, which is not supported; "
            + "save them as one model.safetensors");
      }
      throw new InvalidModelException("no model.safetensors in " + directory);
    }
    return new HuggingFaceModel(directory, SafetensorsFile.open(weights), config, family, metadata);
  }

  /** Heads are there unless the embedding is one; other tensors that a model may be without, such as biases, are taken where they are. */
  private boolean isThere(TensorSpec wanted, HuggingFaceConfig config) throws InvalidModelException {
    return !wanted.optional() || (wanted.role() == TensorRole.OUTPUT ? !config.tiedHead() : file.find(wanted.huggingFaceName()).isPresent());
  }

  private SafetensorsTensor require(TensorSpec wanted) throws InvalidModelException {
    SafetensorsTensor tensor = file.find(wanted.huggingFaceName())
        .orElseThrow(() -> new InvalidModelException("no tensor " + wanted.huggingFaceName() + " in " + file.path()));
    if (!tensor.shape().equals(wanted.huggingFaceShape())) {
      throw new InvalidModelException("tensor " + tensor.name() + " of " + file.path() + " has shape " + tensor.shape() + ", but config.json implies "
          + wanted.huggingFaceShape());
    }
    return tensor;
  }

  private static SourceTensor.RowReader reader(SafetensorsTensor tensor, TensorSpec wanted) {
    int columns = wanted.columns();
    return switch (wanted.transform()) {
      case TensorTransform.Same same -> (firstRow, rowCount, out) -> tensor.readFloats((long) firstRow * columns, out, rowCount * columns);
      case TensorTransform.PlusOne plusOne -> (firstRow, rowCount, out) -> {
        tensor.readFloats((long) firstRow * columns, out, rowCount * columns);
        for (int i = 0; i < rowCount * columns; i++) {
          out[i] += 1;
        }
      };
      case TensorTransform.Interleave interleave -> wanted.vector() ? interleavedVector(tensor, columns, interleave)
          : (firstRow, rowCount, out) -> {
            for (int row = 0; row < rowCount; row++) {
              tensor.readFloats((long) interleave.source(firstRow + row) * columns, out, row * columns, columns);
            }
          };
    };
  }

  private static SourceTensor.RowReader interleavedVector(SafetensorsTensor tensor, int length, TensorTransform.Interleave interleave) {
    return (firstRow, rowCount, out) -> {
      for (int i = 0; i < length; i++) {
        tensor.readFloats(interleave.source(i), out, i, 1);
      }
    };
  }

  private TensorFormat exactFormat(SafetensorsTensor tensor) throws InvalidModelException {
    return switch (tensor.type()) {
      case F32 -> TensorFormat.F32;
      case F16 -> TensorFormat.F16;
      case BF16 -> TensorFormat.BF16;
      case BOOL, U8, I8, F8_E5M2, F8_E4M3, I16, U16, I32, U32, I64, U64, F64 -> throw new InvalidModelException(
          "tensor " + tensor.name() + " of " + file.path() + " has type " + tensor.type() + "; only F32, F16 and BF16 can be converted");
    };
  }

  @Override
  public String name() {
    return directory.toAbsolutePath().normalize().getFileName().toString();
  }

  /** What it is. */
  public DecoderSpec spec() {
    return spec;
  }

  @Override
  public Path weightsFile() {
    return file.path();
  }

  @Override
  public Map<String, GgufValue> metadata() {
    return metadata;
  }

  @Override
  public List<SourceTensor> tensors() {
    return List.copyOf(tensors);
  }
}
