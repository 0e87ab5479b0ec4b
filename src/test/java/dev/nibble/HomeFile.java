package dev.nibble;

import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The embedded model's file, written again with other metadata or tensors: files as other converters write them, and files that are wrong. */
public final class HomeFile {
  private static final Path EMBEDDED = Path.of("src/main/resources/models/nibble-home.gguf");
  public static final String TOKENS = "tokenizer.ggml.tokens";
  public static final String TYPES = "tokenizer.ggml.token_type";
  public static final String TEMPLATE = "tokenizer.chat_template";

  private final Map<String, GgufValue> metadata = new LinkedHashMap<>();
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  private record Tensor(long[] shape, TensorFormat format, byte[] bytes) {}

  /** As it is. */
  public HomeFile() throws IOException {
    try (GgufFile file = GgufFile.open(EMBEDDED)) {
      for (String key : file.metadata().keys()) {
        metadata.put(key, file.metadata().find(key).orElseThrow());
      }
      for (GgufTensor tensor : file.tensors()) {
        byte[] bytes = new byte[Math.toIntExact(tensor.bytes())];
        file.source(tensor).read(0, bytes, bytes.length);
        tensors.put(tensor.name(), new Tensor(tensor.shape().stream().mapToLong(Long::longValue).toArray(), tensor.type(), bytes));
      }
    }
  }

  /** Gives a key another value. */
  public HomeFile with(String key, GgufValue value) {
    metadata.put(key, value);
    return this;
  }

  /** Leaves a key out. */
  public HomeFile without(String key) {
    metadata.remove(key);
    return this;
  }

  /** Gives the special tokens, 2043 to 2047 (bos, end, user, assistant, system), another type: 1 normal, 3 control, 4 user-defined. */
  public HomeFile specialTokensTyped(int type) {
    int[] types = new int[vocabulary().size()];
    for (int id = 0; id < types.length; id++) {
      types[id] = id >= 2043 ? type : 1;
    }
    return with(TYPES, GgufValue.int32s(types));
  }

  /** Names of the tokens. */
  public List<String> vocabulary() {
    return new ArrayList<>(((GgufValue.Texts) metadata.get(TOKENS)).values());
  }

  /** Names a token otherwise. */
  public HomeFile renamed(int id, String name) {
    List<String> names = vocabulary();
    names.set(id, name);
    return with(TOKENS, GgufValue.texts(names));
  }

  /** Keeps the first rows of a matrix only. */
  public HomeFile cut(String tensor, long rows) {
    Tensor whole = tensors.get(tensor);
    byte[] bytes = Arrays.copyOf(whole.bytes, Math.toIntExact(whole.format.bytes(whole.shape[0] * rows)));
    tensors.put(tensor, new Tensor(new long[] {whole.shape[0], rows}, whole.format, bytes));
    return this;
  }

  /** Writes a float into a tensor of floats. */
  public HomeFile poisoned(String tensor, int index, float value) {
    ByteBuffer.wrap(tensors.get(tensor).bytes).order(ByteOrder.LITTLE_ENDIAN).putFloat(4 * index, value);
    return this;
  }

  /** Makes all of its keys another architecture's. */
  public HomeFile as(String architecture) {
    for (String key : Set.copyOf(metadata.keySet())) {
      if (key.startsWith("llama.")) {
        metadata.put(architecture + key.substring("llama".length()), metadata.remove(key));
      }
    }
    return with("general.architecture", GgufValue.text(architecture));
  }

  /** Writes the file. */
  public Path write(Path target) throws IOException {
    GgufWriter writer = new GgufWriter();
    metadata.forEach(writer::metadata);
    tensors.forEach((name, tensor) -> writer.tensor(name, tensor.shape, tensor.format, channel -> channel.write(ByteBuffer.wrap(tensor.bytes))));
    writer.write(target);
    return target;
  }
}
