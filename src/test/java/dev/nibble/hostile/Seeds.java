package dev.nibble.hostile;

import dev.nibble.SplitFile;
import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.kernel.tile.TileMapping;
import dev.nibble.model.family.Families;
import dev.nibble.model.family.Family;
import dev.nibble.model.family.Hyperparameters;
import dev.nibble.model.family.TensorSpec;
import dev.nibble.runtime.ModelOpener;
import dev.nibble.tensor.RandomBlocks;
import dev.nibble.tensor.TensorFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.SplittableRandom;

/** Small models of random weights: of each format, each family, each kind of file, and both kinds of vocabulary. */
final class Seeds {
  private static final Path HOME = Path.of("src/main/resources/models/nibble-home.gguf");
  private static final int WIDTH = 256; // a block of the K formats
  private static final int TOKENS = 300;
  private static final int BYTES = 256;
  private static final String TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}<|assistant|>";
  private static final List<String> WORDS = List.of("th", "he", "in", "er", "an", "re", "on", "at", "en", "nd", "ti", "es", "or", "te", "of", "ed", "is", "it", "al", "ar");

  private final Path folder;
  private final SplittableRandom random = new SplittableRandom(7);

  /** @param folder for files on the way */
  Seeds(Path folder) {
    this.folder = folder;
  }

  List<Seed> all() throws IOException {
    List<Seed> seeds = new ArrayList<>();
    seeds.add(new Seed("home", Seed.Kind.GGUF, Map.of("m.gguf", Files.readAllBytes(HOME)), "m.gguf"));
    List<TensorFormat> formats = Arrays.stream(TensorFormat.values()).filter(format -> TileMapping.layoutOf(format).isPresent()).toList();
    for (TensorFormat format : formats) {
      seeds.add(gguf("llama-" + format, "llama", format, format.ordinal() % 2 == 0));
    }
    List<Family> families = Families.KNOWN.all();
    for (int i = 0; i < families.size(); i++) {
      seeds.add(gguf(families.get(i).architecture(), families.get(i).architecture(), i % 2 == 0 ? TensorFormat.Q4_0 : TensorFormat.Q8_0, i % 2 == 0));
    }
    for (String architecture : List.of("llama", "gemma3", "phi3")) {
      seeds.add(split(architecture, 2 + seeds.size() % 2));
      seeds.add(pack(architecture));
    }
    seeds.add(pack("qwen2"));
    for (String type : List.of("F32", "F16", "BF16")) {
      seeds.add(folder(type));
    }
    return seeds;
  }

  private Path write(Seed seed) throws IOException {
    return Files.write(folder.resolve("seed.gguf"), seed.files().get(seed.open()));
  }

  private Seed split(String architecture, int count) throws IOException {
    Path first = new SplitFile(write(gguf("", architecture, TensorFormat.Q4_0, true)), count, true).write(folder, "m");
    Map<String, byte[]> files = new LinkedHashMap<>();
    for (int number = 1; number <= count; number++) {
      Path file = SplitFile.name(folder, "m", number, count);
      files.put(file.getFileName().toString(), Files.readAllBytes(file));
    }
    return new Seed(architecture + "-split", Seed.Kind.SPLIT, files, first.getFileName().toString());
  }

  private Seed pack(String architecture) throws IOException {
    Path pack = folder.resolve("seed.nib");
    try (ModelOpener opener = new ModelOpener(OptionalInt.of(1))) {
      opener.pack(write(gguf("", architecture, TensorFormat.Q4_K, false)), pack, (done, total) -> {});
    }
    return new Seed(architecture + "-pack", Seed.Kind.PACK, Map.of("m.nib", Files.readAllBytes(pack)), "m.nib");
  }

  private Seed gguf(String name, String architecture, TensorFormat format, boolean sentencePiece) throws IOException {
    Map<String, GgufValue> metadata = metadata(architecture);
    metadata.putAll(sentencePiece ? sentencePiece() : byteLevel());
    GgufWriter writer = new GgufWriter();
    metadata.forEach(writer::metadata);
    for (TensorSpec tensor : tensors(architecture, metadata)) {
      TensorFormat own = tensor.vector() ? TensorFormat.F32 : format;
      byte[] bytes = weights(own, (long) tensor.rows() * tensor.columns());
      writer.tensor(tensor.ggufName(), tensor.ggufShape().stream().mapToLong(Long::longValue).toArray(), own, channel -> channel.write(ByteBuffer.wrap(bytes)));
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    writer.write(Channels.newChannel(out));
    return new Seed(name, Seed.Kind.GGUF, Map.of("m.gguf", out.toByteArray()), "m.gguf");
  }

  private static List<TensorSpec> tensors(String architecture, Map<String, GgufValue> metadata) throws IOException {
    Family family = Families.KNOWN.all().stream().filter(known -> known.architecture().equals(architecture)).findFirst().orElseThrow();
    return family.tensors(family.spec(new Hyperparameters(new GgufMetadata("seed", metadata), TOKENS)));
  }

  private byte[] weights(TensorFormat format, long count) {
    byte[] bytes = new byte[(int) format.bytes(count)];
    random.nextBytes(bytes);
    RandomBlocks.finite(format, bytes);
    if (format == TensorFormat.F32) { // norms and factors too: near 1
      ByteBuffer floats = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < bytes.length; i += Float.BYTES) {
        floats.putFloat(i, (float) (1 + 0.1 * random.nextDouble()));
      }
    }
    return bytes;
  }

  private static Map<String, GgufValue> metadata(String architecture) {
    Map<String, GgufValue> out = new LinkedHashMap<>();
    out.put("general.architecture", GgufValue.text(architecture));
    out.put("general.name", GgufValue.text("a seed"));
    out.put("general.alignment.note", GgufValue.bools(new boolean[] {true, false}));
    String prefix = architecture + ".";
    out.put(prefix + "block_count", GgufValue.uint32(2));
    out.put(prefix + "context_length", GgufValue.uint32(128));
    out.put(prefix + "embedding_length", GgufValue.uint32(WIDTH));
    out.put(prefix + "feed_forward_length", GgufValue.uint32(WIDTH));
    out.put(prefix + "attention.head_count", GgufValue.uint32(8));
    out.put(prefix + "attention.head_count_kv", GgufValue.uint32(2));
    out.put(prefix + "attention.key_length", GgufValue.uint32(32));
    out.put(prefix + "attention.value_length", GgufValue.uint32(32));
    out.put(prefix + "attention.layer_norm_rms_epsilon", GgufValue.float32(1e-5f));
    out.put(prefix + "attention.sliding_window", GgufValue.uint32(16));
    out.put(prefix + "rope.dimension_count", GgufValue.uint32(32));
    out.put(prefix + "rope.freq_base", GgufValue.float32(10000));
    out.put(prefix + "vocab_size", GgufValue.uint32(TOKENS));
    switch (architecture) {
      case "gemma2" -> {
        out.put("gemma2.attn_logit_softcapping", GgufValue.float32(50));
        out.put("gemma2.final_logit_softcapping", GgufValue.float32(30));
      }
      case "gemma3" -> {
        out.put("gemma3.attention.sliding_window_pattern", GgufValue.bools(new boolean[] {true, false}));
        out.put("gemma3.attention.scale", GgufValue.float32(0.2f));
        out.put("gemma3.rope.freq_base_swa", GgufValue.float32(1000));
      }
      case "phi3" -> {
        out.put("phi3.rope.scaling.original_context_length", GgufValue.uint32(64));
        out.put("phi3.rope.scaling.attn_factor", GgufValue.float32(1.1f));
      }
      default -> {
        out.put(prefix + "rope.scaling.type", GgufValue.text("linear"));
        out.put(prefix + "rope.scaling.factor", GgufValue.float32(2));
      }
    }
    return out;
  }

  private static Map<String, GgufValue> sentencePiece() {
    List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
    for (int value = 0; value < BYTES; value++) {
      tokens.add(String.format("<0x%02X>", value));
    }
    tokens.addAll(WORDS);
    while (tokens.size() < TOKENS) {
      tokens.add("\u2581" + (char) ('a' + tokens.size() % 26) + tokens.size());
    }
    int[] types = new int[TOKENS];
    float[] scores = new float[TOKENS];
    for (int id = 0; id < TOKENS; id++) {
      types[id] = id == 0 ? 2 : id < 3 ? 3 : id < 3 + BYTES ? 6 : 1;
      scores[id] = -id;
    }
    Map<String, GgufValue> out = new LinkedHashMap<>();
    out.put("tokenizer.ggml.model", GgufValue.text("llama"));
    out.put("tokenizer.ggml.tokens", GgufValue.texts(tokens));
    out.put("tokenizer.ggml.scores", GgufValue.float32s(scores));
    out.put("tokenizer.ggml.token_type", GgufValue.int32s(types));
    out.put("tokenizer.ggml.bos_token_id", GgufValue.uint32(1));
    out.put("tokenizer.ggml.eos_token_id", GgufValue.uint32(2));
    out.put("tokenizer.ggml.add_space_prefix", GgufValue.bool(true));
    out.put("tokenizer.chat_template", GgufValue.text(TEMPLATE));
    return out;
  }

  /** GPT-2's letters for bytes. */
  private static List<String> letters() {
    List<String> letters = new ArrayList<>();
    int next = BYTES;
    for (int value = 0; value < BYTES; value++) {
      boolean itself = value >= '!' && value <= '~' || value >= 0xA1 && value <= 0xAC || value >= 0xAE;
      letters.add(String.valueOf((char) (itself ? value : next++)));
    }
    return letters;
  }

  private static List<String> byteLevelTokens() {
    List<String> tokens = new ArrayList<>(letters());
    tokens.addAll(WORDS);
    tokens.addAll(List.of("<|bos|>", "<|end|>", "<|user|>", "<|assistant|>"));
    while (tokens.size() < TOKENS) {
      tokens.add("[unused " + tokens.size() + "]");
    }
    return tokens;
  }

  private static List<String> merges() {
    return WORDS.stream().map(word -> word.charAt(0) + " " + word.charAt(1)).toList();
  }

  private static Map<String, GgufValue> byteLevel() {
    int[] types = new int[TOKENS];
    for (int id = 0; id < TOKENS; id++) {
      types[id] = id < BYTES + WORDS.size() ? 1 : id < BYTES + WORDS.size() + 4 ? 3 : 5;
    }
    Map<String, GgufValue> out = new LinkedHashMap<>();
    out.put("tokenizer.ggml.model", GgufValue.text("gpt2"));
    out.put("tokenizer.ggml.pre", GgufValue.text("qwen2"));
    out.put("tokenizer.ggml.tokens", GgufValue.texts(byteLevelTokens()));
    out.put("tokenizer.ggml.merges", GgufValue.texts(merges()));
    out.put("tokenizer.ggml.token_type", GgufValue.int32s(types));
    out.put("tokenizer.ggml.bos_token_id", GgufValue.uint32(BYTES + WORDS.size()));
    out.put("tokenizer.ggml.eos_token_id", GgufValue.uint32(BYTES + WORDS.size() + 1));
    out.put("tokenizer.ggml.add_bos_token", GgufValue.bool(true));
    out.put("tokenizer.chat_template", GgufValue.text(TEMPLATE));
    return out;
  }

  /** A Hugging Face folder of a Llama, with weights of a type. */
  private Seed folder(String type) throws IOException {
    Map<String, GgufValue> metadata = metadata("llama");
    metadata.remove("llama.attention.sliding_window");
    metadata.remove("llama.rope.scaling.factor");
    int size = type.equals("F32") ? Float.BYTES : Short.BYTES;
    StringBuilder header = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    for (TensorSpec tensor : tensors("llama", metadata)) {
      if (tensor.huggingFaceName().isEmpty() || tensor.optional()) {
        continue;
      }
      int from = data.size();
      ByteBuffer bytes = ByteBuffer.allocate(size * tensor.rows() * tensor.columns()).order(ByteOrder.LITTLE_ENDIAN);
      while (bytes.hasRemaining()) {
        float weight = (float) (random.nextDouble() - 0.5);
        switch (type) {
          case "F32" -> bytes.putFloat(weight);
          case "F16" -> bytes.putShort(Float.floatToFloat16(weight));
          default -> bytes.putShort((short) (Float.floatToIntBits(weight) >>> 16));
        }
      }
      data.writeBytes(bytes.array());
      header.append(String.format(",\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}", tensor.huggingFaceName(), type,
          tensor.huggingFaceShape().toString().replace(" ", ""), from, data.size()));
    }
    byte[] json = header.append('}').toString().getBytes(StandardCharsets.UTF_8);
    byte[] weights = ByteBuffer.allocate(Long.BYTES + json.length + data.size()).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).put(json).put(data.toByteArray()).array();
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("model.safetensors", weights);
    files.put("config.json", ("{\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":" + WIDTH + ",\"intermediate_size\":" + WIDTH + ",\"num_hidden_layers\":2,"
        + "\"num_attention_heads\":8,\"num_key_value_heads\":2,\"head_dim\":32,\"max_position_embeddings\":128,\"rms_norm_eps\":1e-05,\"rope_theta\":10000.0,"
        + "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":64},"
        + "\"vocab_size\":" + TOKENS + ",\"tie_word_embeddings\":true,\"hidden_act\":\"silu\",\"attention_bias\":false,\"mlp_bias\":false,\"torch_dtype\":\"float32\"}")
        .getBytes(StandardCharsets.UTF_8));
    files.put("tokenizer.json", tokenizer().getBytes(StandardCharsets.UTF_8));
    files.put("tokenizer_config.json", ("{\"bos_token\":\"<|bos|>\",\"eos_token\":{\"content\":\"<|end|>\"},\"add_bos_token\":true,\"chat_template\":\"" + TEMPLATE + "\"}")
        .getBytes(StandardCharsets.UTF_8));
    return new Seed("folder-" + type, Seed.Kind.FOLDER, files, "");
  }

  private static String tokenizer() {
    StringBuilder vocabulary = new StringBuilder();
    List<String> tokens = byteLevelTokens();
    int words = BYTES + WORDS.size();
    for (int id = 0; id < words; id++) {
      vocabulary.append(id == 0 ? "" : ",").append('"').append(tokens.get(id).replace("\\", "\\\\").replace("\"", "\\\"")).append("\":").append(id);
    }
    StringBuilder added = new StringBuilder();
    for (int id = words; id < TOKENS; id++) {
      added.append(id == words ? "" : ",").append("{\"id\":").append(id).append(",\"content\":\"").append(tokens.get(id)).append("\",\"special\":").append(id < words + 4).append('}');
    }
    return "{\"added_tokens\":[" + added + "],\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},"
        + "\"model\":{\"type\":\"BPE\",\"ignore_merges\":false,\"vocab\":{" + vocabulary + "},\"merges\":[\"" + String.join("\",\"", merges()) + "\"]}}";
  }
}
