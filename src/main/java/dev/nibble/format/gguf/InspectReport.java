package dev.nibble.format.gguf;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.format.Printable;
import dev.nibble.kernel.tile.TileMapping;
import dev.nibble.tensor.TensorFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** What a model file holds, for people and for programs. */
public final class InspectReport {
  private static final int LONGEST_VALUE = 60; // characters of a metadata value shown to people

  private final ModelFile file;
  private final Map<TensorFormat, long[]> mix = new TreeMap<>(); // type to tensors, elements, bytes
  private final Map<String, String> findings;

  public InspectReport(ModelFile file) {
    this(file, Map.of());
  }

  /** @param findings more facts, found by others; names in lower case with underscores */
  public InspectReport(ModelFile file, Map<String, String> findings) {
    this.file = file;
    this.findings = new TreeMap<>(findings);
    for (GgufTensor tensor : file.tensors()) {
      long[] sums = mix.computeIfAbsent(tensor.type(), type -> new long[3]);
      sums[0]++;
      sums[1] += tensor.elements();
      sums[2] += tensor.bytes();
    }
  }

  /** Weights of all tensors. */
  public long parameters() {
    return mix.values().stream().mapToLong(sums -> sums[1]).sum();
  }

  /** Average over all tensors; 0 for a file without. */
  public double bitsPerWeight() {
    long parameters = parameters();
    return parameters == 0 ? 0 : 8.0 * mix.values().stream().mapToLong(sums -> sums[2]).sum() / parameters;
  }

  private String architecture() {
    return file.metadata().string("general.architecture").orElse("unknown");
  }

  private long context() {
    return file.metadata().integer(architecture() + ".context_length").orElse(0);
  }

  private int vocabulary() {
    return file.metadata().strings("tokenizer.ggml.tokens").map(List::size).orElse(0);
  }

  /** Several lines. */
  public String toText() {
    StringBuilder text = new StringBuilder();
    line(text, "file", Printable.of(file.name()) + " (" + file.kind() + ")");
    file.facts().forEach((name, value) -> line(text, name.replace('_', ' '), value));
    line(text, "name", file.metadata().string("general.name").map(InspectReport::shortened).orElse("-"));
    line(text, "architecture", shortened(architecture()));
    line(text, "parameters", String.format(Locale.ROOT, "%,d", parameters()));
    line(text, "bits per weight", String.format(Locale.ROOT, "%.3f", bitsPerWeight()));
    line(text, "context", context() == 0 ? "-" : context() + " tokens");
    line(text, "vocabulary", vocabulary() == 0 ? "-" : vocabulary() + " tokens, " + file.metadata().string("tokenizer.ggml.model").map(InspectReport::shortened).orElse("?")
        + file.metadata().string("tokenizer.ggml.pre").map(pre -> " (" + shortened(pre) + ")").orElse(""));
    findings.forEach((name, value) -> line(text, name.replace('_', ' '), Printable.of(value)));
    text.append("\nquantisation mix\n");
    mix.forEach((type, sums) -> text.append(String.format(Locale.ROOT, "  %-8s %5d tensors %,16d weights %,16d bytes  %.4f bits per weight%s%n",
        type, sums[0], sums[1], sums[2], 8.0 * sums[2] / sums[1], remark(type))));
    text.append("\nmetadata\n");
    for (String key : file.metadata().keys()) {
      text.append(String.format("  %-42s %s%n", shortened(key), show(file.metadata().find(key).orElseThrow())));
    }
    text.append("\ntensors\n");
    for (GgufTensor tensor : file.tensors()) {
      text.append(String.format("  %-32s %-8s %-20s at %s%n", Printable.of(tensor.name()), tensor.type(),
          tensor.shape().reversed().stream().map(String::valueOf).collect(Collectors.joining(" × ")), place(tensor)));
    }
    return text.toString();
  }

  private String place(GgufTensor tensor) {
    if (!(file instanceof GgufFile gguf) || gguf.files() == 1) {
      return Long.toString(tensor.offset());
    }
    GgufFile.Place place = gguf.place(tensor);
    return place.offset() + " of file " + place.file();
  }

  private static String remark(TensorFormat type) {
    return switch (TileMapping.of(type)) {
      case TileMapping.Exact exact -> "";
      case TileMapping.Rounded rounded -> "  (computed with a loss: " + rounded.loss() + ")";
      case TileMapping.None none -> "  (can't be run: " + none.reason() + ")";
    };
  }

  private static void line(StringBuilder text, String what, String value) {
    text.append(String.format("%-16s %s%n", what, value));
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

  /** One object: file, version, alignment and number of files of a GGUF model, kind, bytes, name, architecture, parameters, bits_per_weight, context_length, vocabulary_size, quantization, metadata, tensors. */
  public ObjectNode toJson() {
    JsonNodeFactory json = JsonNodeFactory.instance;
    ObjectNode root = json.objectNode();
    root.put("file", file.name());
    if (file instanceof GgufFile gguf) {
      root.put("version", gguf.version());
      root.put("alignment", gguf.alignment());
      root.put("files", gguf.files());
    }
    root.put("kind", file.kind());
    file.facts().forEach(root::put);
    root.put("bytes", file.size());
    file.metadata().string("general.name").ifPresent(name -> root.put("name", name));
    root.put("architecture", architecture());
    root.put("parameters", parameters());
    root.put("bits_per_weight", bitsPerWeight());
    root.put("context_length", context());
    root.put("vocabulary_size", vocabulary());
    findings.forEach(root::put);
    ArrayNode quantization = root.putArray("quantization");
    mix.forEach((type, sums) -> {
      ObjectNode node = quantization.addObject().put("type", type.toString()).put("tensors", sums[0]).put("weights", sums[1]).put("bytes", sums[2])
          .put("bits_per_weight", 8.0 * sums[2] / sums[1]);
      switch (TileMapping.of(type)) {
        case TileMapping.Exact exact -> node.put("runs", true);
        case TileMapping.Rounded rounded -> node.put("runs", true).put("loss", rounded.loss());
        case TileMapping.None none -> node.put("runs", false).put("reason", none.reason());
      }
    });
    ObjectNode metadata = root.putObject("metadata");
    for (String key : file.metadata().keys()) {
      switch (file.metadata().find(key).orElseThrow()) {
        case GgufValue.Whole whole -> metadata.put(key, whole.value());
        case GgufValue.Real real -> metadata.put(key, real.value());
        case GgufValue.Bool bool -> metadata.put(key, bool.value());
        case GgufValue.Text text -> metadata.put(key, text.value());
        case GgufValue.LongText text -> metadata.putObject(key).put("bytes", text.bytes()).put("beginning", text.beginning());
        // Arrays are vocabularies: their lengths tell enough.
        case GgufValue.Array array -> metadata.putObject(key).put("array_of", array.elementType().toString().toLowerCase(Locale.ROOT))
            .put("size", array.size());
      }
    }
    ArrayNode tensors = root.putArray("tensors");
    for (GgufTensor tensor : file.tensors()) {
      ObjectNode node = tensors.addObject().put("name", tensor.name()).put("type", tensor.type().toString());
      ArrayNode shape = node.putArray("shape");
      tensor.shape().reversed().forEach(shape::add);
      if (file instanceof GgufFile gguf) {
        GgufFile.Place place = gguf.place(tensor);
        node.put("file", place.file()).put("offset", place.offset());
      } else {
        node.put("offset", tensor.offset());
      }
      node.put("bytes", tensor.bytes());
    }
    return root;
  }
}
