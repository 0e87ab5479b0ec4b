package dev.nibble.runtime;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.format.Printable;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufKeyException;
import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.GgufType;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.format.pack.PackFile;
import dev.nibble.format.safetensors.SafetensorsFile;
import dev.nibble.format.safetensors.SafetensorsTensor;
import dev.nibble.format.safetensors.SafetensorsType;
import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.kernel.tile.TileMapping;
import dev.nibble.model.DecoderLoader;
import dev.nibble.model.MemoryNeed;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.quant.HuggingFaceModel;
import dev.nibble.tensor.TensorFormat;
import dev.nibble.tokenizer.GgufVocabulary;
import dev.nibble.tokenizer.HuggingFaceTokenizer;
import dev.nibble.tokenizer.InvalidVocabularyException;
import dev.nibble.tokenizer.VocabularyTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What a model file holds, for people and for programs, without reading its weights: what the model is and whether it runs, what its tokenizer is, what memory
 * it takes, what each tensor becomes. {@code docs/models.md} describes the JSON.
 */
public final class ModelReport {
  private static final int LONGEST_VALUE = 60; // characters of a metadata value shown to people
  private static final int MAX_TOKENS = 1 << 20; // of a folder's tokenizer, where nothing says how many its model has
  private static final int NAME_WIDTH = 16;
  private static final String VECTOR = "floats"; // what vectors are kept as

  private final String file;
  private final String kind;
  private final Map<String, String> facts;
  private final long bytes;
  private final GgufMetadata metadata;
  private final List<Row> rows;
  private final Map<String, String> findings = new LinkedHashMap<>();
  private final Map<String, ObjectNode> sections = new LinkedHashMap<>();
  private final Map<String, Sums> mix = new TreeMap<>();
  private final ObjectNode gguf = JsonNodeFactory.instance.objectNode(); // of a GGUF file alone

  /**
   * A tensor.
   *
   * @param shape outermost dimension first
   * @param place where its data are, for people
   * @param kept as what it is computed with, or why it is not
   */
  private record Row(String name, String format, List<Long> shape, long bytes, ObjectNode place, Kept kept) {
    long elements() {
      return shape.stream().reduce(1L, (a, b) -> a * b);
    }
  }

  /** What becomes of a tensor, or of a format's matrices: tiles of a layout, with what that loses, or nothing, with a reason; empty for what is not. */
  private record Kept(String layout, String loss, String reason) {
    static Kept of(TileMapping mapping) {
      return switch (mapping) {
        case TileMapping.Exact exact -> new Kept(exact.layout().toString(), "", "");
        case TileMapping.Rounded rounded -> new Kept(rounded.layout().toString(), rounded.loss(), "");
        case TileMapping.None none -> new Kept("", "", none.reason());
      };
    }

    /** Of a tensor of a model file. */
    static Kept of(ModelFile file, GgufTensor tensor) {
      if (tensor.shape().size() == 1) {
        return tensor.type() == TensorFormat.F32 ? new Kept(VECTOR, "", "") : new Kept("", "", "vectors must be F32");
      }
      if (tensor.shape().size() > 2) {
        return new Kept("", "", "it has " + tensor.shape().size() + " dimensions");
      }
      Kept own = of(TileMapping.of(tensor.type()));
      Optional<TileLayout> packed = file.layout(tensor);
      return packed.isPresent() ? new Kept(packed.get().toString(), own.loss, "") : own;
    }

    /** Of one of a checkpoint's, as it would be kept unquantised. */
    static Kept of(SafetensorsType type, int dimensions) {
      return format(type).map(format -> dimensions == 1 ? new Kept(VECTOR, "", "") : of(TileMapping.of(format)))
          .orElseGet(() -> new Kept("", "", "only F32, F16 and BF16 can be converted"));
    }

    private static Optional<TensorFormat> format(SafetensorsType type) {
      return switch (type) {
        case F32 -> Optional.of(TensorFormat.F32);
        case F16 -> Optional.of(TensorFormat.F16);
        case BF16 -> Optional.of(TensorFormat.BF16);
        case BOOL, U8, I8, F8_E5M2, F8_E4M3, I16, U16, I32, U32, I64, U64, F64 -> Optional.empty();
      };
    }

    void write(ObjectNode node) {
      put(node, "tile_layout", layout);
      put(node, "loss", loss);
      put(node, "reason", reason);
    }

    private static void put(ObjectNode node, String name, String text) {
      if (!text.isEmpty()) {
        node.put(name, text);
      }
    }
  }

  /** Of all tensors of a format. */
  private static final class Sums {
    private final Kept kept;
    private long tensors;
    private long elements;
    private long bytes;

    Sums(Kept kept) {
      this.kept = kept;
    }
  }

  private ModelReport(String file, String kind, Map<String, String> facts, long bytes, GgufMetadata metadata, List<Row> rows, Map<String, Kept> formats) {
    this.file = file;
    this.kind = kind;
    this.facts = facts;
    this.bytes = bytes;
    this.metadata = metadata;
    this.rows = rows;
    for (Row row : rows) {
      Sums sums = mix.computeIfAbsent(row.format, format -> new Sums(formats.get(format)));
      sums.tensors++;
      sums.elements += row.elements();
      sums.bytes += row.bytes;
    }
  }

  /**
   * Reports on a model.
   *
   * @param path a GGUF file, the first of several, a packed one, or a Hugging Face folder
   * @throws IOException if it is missing, damaged, or no model
   */
  public static ModelReport of(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      return folder(path);
    }
    if (String.valueOf(path.getFileName()).endsWith(".safetensors") && Files.isRegularFile(path)) {
      throw new IOException(path + " holds weights alone: name the folder that it is in, with config.json and tokenizer.json");
    }
    try (ModelFile file = PackFile.openAny(path)) {
      return of(file);
    }
  }

  /** Reports on an open model. @throws IOException if it can't be read */
  public static ModelReport of(ModelFile file) throws IOException {
    List<Row> rows = new ArrayList<>();
    Map<String, Kept> formats = new TreeMap<>();
    for (GgufTensor tensor : file.tensors()) {
      formats.computeIfAbsent(tensor.type().toString(), type -> Kept.of(TileMapping.of(tensor.type())));
      ObjectNode place = JsonNodeFactory.instance.objectNode();
      if (file instanceof GgufFile gguf) {
        place.put("file", gguf.place(tensor).file()).put("offset", gguf.place(tensor).offset());
      } else {
        place.put("offset", tensor.offset());
      }
      rows.add(new Row(tensor.name(), tensor.type().toString(), tensor.shape().reversed(), tensor.bytes(), place, Kept.of(file, tensor)));
    }
    ModelReport report = new ModelReport(file.name(), file.kind(), file.facts(), file.size(), file.metadata(), rows, formats);
    if (file instanceof GgufFile gguf) {
      report.gguf.put("version", gguf.version()).put("alignment", gguf.alignment()).put("files", gguf.files());
    }
    Optional<String> unusable = Optional.empty();
    try {
      DecoderSpec spec = DecoderLoader.spec(file);
      report.sections.put("model", SpecReport.of(spec));
      DecoderLoader.check(file);
      report.memory(MemoryNeed.of(file, KvCacheOptions.DEFAULT));
    } catch (InvalidModelException | GgufKeyException why) {
      unusable = Optional.of(why.getMessage());
    }
    report.tokenizer(() -> GgufVocabulary.tokenizer(file.metadata()));
    report.findings.put("runs", unusable.or(() -> Optional.ofNullable(report.sections.get("tokenizer").get("reason")).map(JsonNode::asText)).map(why -> "no: " + why).orElse("yes"));
    return report;
  }

  private static ModelReport folder(Path folder) throws IOException {
    Path weights = folder.resolve("model.safetensors");
    if (!Files.exists(weights)) {
      HuggingFaceModel.open(folder); // says what is missing
    }
    SafetensorsFile file = SafetensorsFile.open(weights);
    List<Row> rows = new ArrayList<>();
    Map<String, Kept> formats = new TreeMap<>();
    for (SafetensorsTensor tensor : file.tensors()) {
      formats.computeIfAbsent(tensor.type().toString(), type -> Kept.of(tensor.type(), 2));
      rows.add(new Row(tensor.name(), tensor.type().toString(), tensor.shape(), tensor.data().byteSize(), JsonNodeFactory.instance.objectNode(),
          Kept.of(tensor.type(), tensor.shape().size())));
    }
    Optional<HuggingFaceModel> model = Optional.empty();
    String converts = "yes";
    try {
      model = Optional.of(HuggingFaceModel.open(folder));
    } catch (InvalidModelException | GgufKeyException why) {
      converts = "no: " + why.getMessage();
    } catch (NoSuchFileException missing) {
      converts = "no: there is no " + missing.getFile();
    }
    GgufMetadata metadata = new GgufMetadata(folder.toString(), model.map(HuggingFaceModel::metadata).orElse(Map.of()));
    ModelReport report = new ModelReport(folder.toString(), "Hugging Face folder, weights of " + Files.size(weights) + " bytes", Map.of(), Files.size(weights), metadata, rows, formats);
    report.findings.put("converts", converts);
    if (model.isPresent()) {
      report.sections.put("model", SpecReport.of(model.get().spec()));
    }
    int most = model.map(HuggingFaceModel::vocabularySize).orElse(MAX_TOKENS);
    report.tokenizer(() -> new VocabularyTokenizer(HuggingFaceTokenizer.read(folder, most)));
    return report;
  }

  /** Where a tokenizer comes from. */
  @FunctionalInterface
  private interface Source {
    VocabularyTokenizer read() throws IOException;
  }

  private void tokenizer(Source source) throws IOException {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    try {
      VocabularyTokenizer tokenizer = source.read();
      findings.put("chat", tokenizer.whyNoChat().map(why -> "no: " + why).orElse("yes"));
      TokenizerReport.write(tokenizer, node);
    } catch (InvalidVocabularyException | GgufKeyException unusable) {
      node.put("reason", unusable.getMessage());
    } catch (NoSuchFileException missing) {
      node.put("reason", "there is no " + missing.getFile());
    }
    if (node.has("reason")) {
      findings.put("chat", "no: " + node.get("reason").asText());
    }
    sections.put("tokenizer", node);
  }

  private void memory(MemoryNeed need) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("weights_bytes", need.weights());
    node.put("bits_per_weight", parameters() == 0 ? 0 : 8.0 * need.weights() / parameters());
    node.put("keys_and_values_bytes", need.sequence());
    node.put("context", need.context());
    node.put("key_value_format", need.cache().toString());
    node.put("scratch_bytes", need.scratch());
    node.put("together_bytes", need.weights() + need.sequence() + need.scratch());
    sections.put("memory", node);
  }

  /** Weights of all tensors. */
  public long parameters() {
    return mix.values().stream().mapToLong(sums -> sums.elements).sum();
  }

  /** Average over all tensors as the file has them; 0 for a file without. */
  public double bitsPerWeight() {
    long parameters = parameters();
    return parameters == 0 ? 0 : 8.0 * mix.values().stream().mapToLong(sums -> sums.bytes).sum() / parameters;
  }

  private Optional<String> text(String key) {
    return metadata.find(key).flatMap(value -> value instanceof GgufValue.Text text ? Optional.of(text.value()) : Optional.empty());
  }

  private String architecture() {
    return text("general.architecture").orElse("unknown");
  }

  private long context() {
    return metadata.find(architecture() + ".context_length").map(value -> value instanceof GgufValue.Whole whole ? whole.value() : 0L).orElse(0L);
  }

  private int vocabulary() {
    return metadata.find("tokenizer.ggml.tokens").map(value -> value instanceof GgufValue.Texts texts ? texts.size() : 0).orElseGet(() ->
        sections.get("tokenizer").path("tokens").asInt(0));
  }

  /** Several lines. */
  public String toText() {
    StringBuilder out = new StringBuilder();
    line(out, "file", Printable.of(file) + " (" + kind + ")");
    facts.forEach((name, value) -> line(out, name, value));
    line(out, "name", text("general.name").map(ModelReport::shortened).orElse("-"));
    line(out, "architecture", shortened(architecture()));
    line(out, "parameters", String.format(Locale.ROOT, "%,d", parameters()));
    line(out, "bits per weight", String.format(Locale.ROOT, "%.3f", bitsPerWeight()));
    line(out, "context", context() == 0 ? "-" : context() + " tokens");
    line(out, "vocabulary", vocabulary() == 0 ? "-" : vocabulary() + " tokens" + text("tokenizer.ggml.model").map(model -> ", " + shortened(model)).orElse("")
        + text("tokenizer.ggml.pre").map(pre -> " (" + shortened(pre) + ")").orElse(""));
    findings.forEach((name, value) -> line(out, name, Printable.message(value)));
    sections.forEach((name, section) -> {
      out.append('\n').append(name).append('\n');
      SectionText.write(section, out);
    });
    out.append("\nquantisation mix\n");
    mix.forEach((format, sums) -> out.append(String.format(Locale.ROOT, "  %-8s %5d tensors %,16d weights %,16d bytes  %.4f bits per weight%s%n",
        format, sums.tensors, sums.elements, sums.bytes, sums.elements == 0 ? 0 : 8.0 * sums.bytes / sums.elements, remark(sums.kept))));
    out.append("\nmetadata\n");
    for (String key : metadata.keys()) {
      out.append(String.format("  %-42s %s%n", shortened(key), show(metadata.find(key).orElseThrow())));
    }
    out.append("\ntensors\n");
    for (Row row : rows) {
      out.append(String.format("  %-32s %-8s %-20s %-15s%s", Printable.of(row.name), row.format, row.shape.stream().map(String::valueOf).collect(Collectors.joining(" × ")),
          row.kept.layout.isEmpty() ? "-" : row.kept.layout, place(row)).stripTrailing()).append('\n');
    }
    return out.toString();
  }

  private String place(Row row) {
    if (!row.place.has("offset")) {
      return "";
    }
    return " at " + row.place.get("offset").asLong() + (gguf.path("files").asInt(1) == 1 ? "" : " of file " + row.place.get("file").asInt());
  }

  private static String remark(Kept kept) {
    if (!kept.reason.isEmpty()) {
      return "  (can't be run: " + kept.reason + ")";
    }
    return ", in tiles " + kept.layout + (kept.loss.isEmpty() ? "" : "  (computed with a loss: " + kept.loss + ")");
  }

  private static void line(StringBuilder text, String what, String value) {
    text.append(String.format("%-" + NAME_WIDTH + "s %s%n", what.replace('_', ' '), value));
  }

  private static String show(GgufValue value) {
    return switch (value) {
      case GgufValue.Whole whole -> Long.toString(whole.value());
      case GgufValue.Real real -> real.type() == GgufType.FLOAT32 ? Float.toString((float) real.value()) : Double.toString(real.value());
      case GgufValue.Bool bool -> Boolean.toString(bool.value());
      case GgufValue.Text string -> '"' + shortened(string.value()) + '"';
      case GgufValue.LongText string -> '"' + beginning(string.beginning()) + "\" (" + string.bytes() + " bytes)";
      case GgufValue.Texts texts -> "[" + texts.size() + " strings]";
      case GgufValue.Array array -> "[" + array.size() + " × " + array.elementType().toString().toLowerCase(Locale.ROOT) + "]";
    };
  }

  private static String shortened(String text) {
    return text.length() > LONGEST_VALUE ? beginning(text) : Printable.of(text);
  }

  private static String beginning(String text) {
    return Printable.of(text.substring(0, Math.min(text.length(), LONGEST_VALUE))) + "…";
  }

  /** One object; fields are added to it in later versions, and none is taken away or gets another meaning. */
  public ObjectNode toJson() {
    JsonNodeFactory json = JsonNodeFactory.instance;
    ObjectNode root = json.objectNode();
    root.put("file", file);
    root.setAll(gguf);
    root.put("kind", kind);
    facts.forEach(root::put);
    root.put("bytes", bytes);
    text("general.name").ifPresent(name -> root.put("name", name));
    root.put("architecture", architecture());
    root.put("parameters", parameters());
    root.put("bits_per_weight", bitsPerWeight());
    root.put("context_length", context());
    root.put("vocabulary_size", vocabulary());
    findings.forEach(root::put);
    sections.forEach(root::set);
    ArrayNode quantization = root.putArray("quantization");
    mix.forEach((type, sums) -> {
      ObjectNode node = quantization.addObject().put("type", type).put("tensors", sums.tensors).put("weights", sums.elements).put("bytes", sums.bytes)
          .put("bits_per_weight", sums.elements == 0 ? 0 : 8.0 * sums.bytes / sums.elements).put("runs", sums.kept.reason.isEmpty());
      sums.kept.write(node);
    });
    ObjectNode told = root.putObject("metadata");
    for (String key : metadata.keys()) {
      switch (metadata.find(key).orElseThrow()) {
        case GgufValue.Whole whole -> told.put(key, whole.value());
        case GgufValue.Real real -> told.put(key, real.value());
        case GgufValue.Bool bool -> told.put(key, bool.value());
        case GgufValue.Text text -> told.put(key, text.value());
        case GgufValue.LongText text -> told.putObject(key).put("bytes", text.bytes()).put("beginning", text.beginning());
        // Arrays are vocabularies: their lengths tell enough.
        case GgufValue.Array array -> told.putObject(key).put("array_of", array.elementType().toString().toLowerCase(Locale.ROOT)).put("size", array.size());
      }
    }
    ArrayNode tensors = root.putArray("tensors");
    for (Row row : rows) {
      ObjectNode node = tensors.addObject().put("name", row.name).put("type", row.format);
      ArrayNode shape = node.putArray("shape");
      row.shape.forEach(shape::add);
      node.setAll(row.place);
      node.put("bytes", row.bytes);
      row.kept.write(node);
    }
    return root;
  }
}
