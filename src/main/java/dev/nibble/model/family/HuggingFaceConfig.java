package dev.nibble.model.family;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.model.spec.RopeScaling;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * {@code config.json} of a Hugging Face checkpoint, in the words of version 4 or 5 of the transformers library, and the GGUF metadata that say the same. What can't
 * be said so is refused.
 */
public final class HuggingFaceConfig {
  private final Path file;
  private final JsonNode root;

  private HuggingFaceConfig(Path file, JsonNode root) {
    this.file = file;
    this.root = root;
  }

  /**
   * Reads one.
   *
   * @throws InvalidModelException if there is none
   * @throws IOException if it can't be read, or is no JSON
   */
  public static HuggingFaceConfig read(Path directory) throws IOException {
    Path file = directory.resolve("config.json");
    if (!Files.isRegularFile(file)) {
      throw new InvalidModelException("no config.json in " + directory);
    }
    try {
      return new HuggingFaceConfig(file, new ObjectMapper().readTree(Files.readAllBytes(file)));
    } catch (JsonProcessingException e) {
      throw new IOException("invalid JSON in " + file + ": " + e.getOriginalMessage() + " at byte "
          + (e.getLocation() == null ? 0 : e.getLocation().getByteOffset()), e);
    }
  }

  /** The file, for messages. */
  public Path file() {
    return file;
  }

  /** Says that the model can't be converted. */
  public InvalidModelException unsupported(String why) {
    return new InvalidModelException("cannot convert the model of " + file + ": " + why);
  }

  /** The family. @throws InvalidModelException if it is none of these */
  public Family family(Families families) throws InvalidModelException {
    JsonNode architectures = root.path("architectures");
    Optional<Family> found = architectures.size() == 1 ? families.ofHuggingFaceClass(architectures.get(0).asText()) : Optional.empty();
    return found.orElseThrow(() -> unsupported(
        "architectures is " + (architectures.isMissingNode() ? "missing" : architectures.toString()) + "; supported: " + String.join(", ", families.huggingFaceClasses())));
  }

  /** Whether its class has this name. */
  public boolean isClass(String name) {
    return root.path("architectures").path(0).asText().equals(name);
  }

  /** Whether the embedding is the head too. */
  public boolean tiedHead() throws InvalidModelException {
    return isSet("tie_word_embeddings");
  }

  /** Number of token ids. */
  public int vocabulary() throws InvalidModelException {
    return whole("vocab_size");
  }

  /** Whether there is something other than null under a name. */
  public boolean has(String name) {
    return root.hasNonNull(name);
  }

  /** A truth value, false where there is none. */
  public boolean isSet(String name) throws InvalidModelException {
    JsonNode node = root.path(name);
    if (has(name) && !node.isBoolean()) {
      throw unsupported(name + " is " + node + ", not true or false");
    }
    return node.booleanValue();
  }

  /** A positive whole number. */
  public int whole(String name) throws InvalidModelException {
    return whole(name, root.path(name));
  }

  private int whole(String name, JsonNode node) throws InvalidModelException {
    if (!node.canConvertToInt() || !node.isIntegralNumber() || node.intValue() <= 0) {
      throw unsupported(name + " is " + (node.isMissingNode() ? "missing" : node.toString()) + ", not a positive whole number");
    }
    return node.intValue();
  }

  /** A number. */
  public double number(String name) throws InvalidModelException {
    return number(name, root.path(name));
  }

  private double number(String name, JsonNode node) throws InvalidModelException {
    if (!node.isNumber()) {
      throw unsupported(name + " is " + (node.isMissingNode() ? "missing" : node.toString()) + ", not a number");
    }
    return node.doubleValue();
  }

  /** The first number of a name among these objects, or the default where none has it. */
  private double number(String name, double unset, JsonNode... objects) throws InvalidModelException {
    for (JsonNode object : objects) {
      if (object.hasNonNull(name)) {
        return number(name, object.path(name));
      }
    }
    return unset;
  }

  /** @throws InvalidModelException if the gate's activation is none of these names */
  public void requireActivation(String... names) throws InvalidModelException {
    String key = has("hidden_activation") ? "hidden_activation" : "hidden_act";
    String activation = root.path(key).asText(names[0]);
    if (!List.of(names).contains(activation)) {
      throw unsupported(key + " is \"" + activation + "\"; supported: " + String.join(", ", names));
    }
  }

  /** @throws InvalidModelException if some layers have a sliding window and others have none, which only some families can say */
  public void requireNoWindow() throws InvalidModelException {
    if (isSet("use_sliding_window")) {
      throw unsupported("use_sliding_window is set; windows in some layers only are not supported for this family");
    }
  }

  /**
   * Which layers have a sliding window.
   *
   * @param pattern where {@code layer_types} is not there: every layer but each pattern-th has
   */
  public boolean[] windowedLayers(int pattern) throws InvalidModelException {
    boolean[] windowed = new boolean[whole("num_hidden_layers")];
    JsonNode types = root.path("layer_types");
    if (has("layer_types") && !types.isArray()) {
      throw unsupported("layer_types is " + types + ", not a list");
    }
    if (types.isArray() && types.size() != windowed.length) {
      throw unsupported("layer_types has " + types.size() + " entries for " + windowed.length + " layers");
    }
    for (int i = 0; i < windowed.length; i++) {
      String type = types.isArray() ? types.get(i).asText() : (i + 1) % pattern == 0 ? "full_attention" : "sliding_attention";
      windowed[i] = switch (type) {
        case "full_attention" -> false;
        case "sliding_attention" -> true;
        default -> throw unsupported("layer_types has \"" + type + "\"; supported: full_attention, sliding_attention");
      };
    }
    return windowed;
  }

  /** Metadata by which all families say the same things: sizes, heads, norm, RoPE and its scaling. Windows are left to families. */
  public Map<String, GgufValue> common(Family family) throws InvalidModelException {
    String prefix = family.architecture() + ".";
    Map<String, GgufValue> metadata = new LinkedHashMap<>();
    int width = whole("hidden_size");
    int heads = whole("num_attention_heads");
    int keyValueHeads = has("num_key_value_heads") ? whole("num_key_value_heads") : heads;
    if (heads % keyValueHeads != 0) {
      throw unsupported(heads + " heads are not a multiple of " + keyValueHeads + " key-value heads");
    }
    metadata.put(prefix + "block_count", GgufValue.uint32(whole("num_hidden_layers")));
    metadata.put(prefix + "context_length", GgufValue.uint32(whole("max_position_embeddings")));
    metadata.put(prefix + "embedding_length", GgufValue.uint32(width));
    metadata.put(prefix + "feed_forward_length", GgufValue.uint32(whole("intermediate_size")));
    metadata.put(prefix + "attention.head_count", GgufValue.uint32(heads));
    metadata.put(prefix + "attention.head_count_kv", GgufValue.uint32(keyValueHeads));
    metadata.put(prefix + "attention.layer_norm_rms_epsilon", GgufValue.float32((float) number("rms_norm_eps")));
    int headWidth = headWidth();
    metadata.put(prefix + "rope.dimension_count", GgufValue.uint32(rotatedWidth()));
    if ((long) heads * headWidth != width) {
      metadata.put(prefix + "attention.key_length", GgufValue.uint32(headWidth));
      metadata.put(prefix + "attention.value_length", GgufValue.uint32(headWidth));
    }
    JsonNode rope = rope();
    metadata.put(prefix + "rope.freq_base", GgufValue.float32((float) number("rope_theta", Hyperparameters.DEFAULT_ROPE_BASE, root, rope)));
    switch (ropeType()) {
      case "default", "llama3" -> { } // the latter's factors are a tensor
      case "linear" -> {
        metadata.put(prefix + "rope.scaling.type", GgufValue.text("linear"));
        metadata.put(prefix + "rope.scaling.factor", GgufValue.float32((float) number("the factor of RoPE scaling", rope.path("factor"))));
      }
      case "longrope", "su" -> {
        int original = originalContext();
        metadata.put(prefix + "rope.scaling.type", GgufValue.text("longrope"));
        metadata.put(prefix + "rope.scaling.original_context_length", GgufValue.uint32(original));
        metadata.put(prefix + "rope.scaling.attn_factor", GgufValue.float32((float) longRopeMagnitude(original)));
      }
      default -> throw unsupported("RoPE scaling of type \"" + ropeType() + "\" is not supported");
    }
    metadata.put(prefix + "vocab_size", GgufValue.uint32(vocabulary()));
    return metadata;
  }

  private int headWidth() throws InvalidModelException {
    return has("head_dim") ? whole("head_dim") : whole("hidden_size") / whole("num_attention_heads");
  }

  private int rotatedWidth() throws InvalidModelException {
    double part = number("partial_rotary_factor", 1, root, rope());
    if (!(part > 0 && part <= 1)) {
      throw unsupported("partial_rotary_factor is " + part + "; allowed: above 0, up to 1");
    }
    return (int) (headWidth() * part);
  }

  /** "rope_scaling" until version 4 of the transformers library, "rope_parameters" (which holds theta too, and may hold one object a kind of layer) since version 5. */
  private JsonNode rope() throws InvalidModelException {
    String name = has("rope_parameters") ? "rope_parameters" : "rope_scaling";
    JsonNode rope = root.path(name);
    if (has(name) && !rope.isObject()) {
      throw unsupported(name + " is " + rope + ", not an object");
    }
    return rope.path("full_attention").isObject() ? rope.path("full_attention") : rope;
  }

  /** The base of RoPE in layers with a window, where they have one of their own. */
  public Optional<Float> windowedRopeBase() throws InvalidModelException {
    JsonNode own = root.path("rope_parameters").path("sliding_attention");
    return own.hasNonNull("rope_theta") ? Optional.of((float) number("rope_theta", own.path("rope_theta")))
        : has("rope_local_base_freq") ? Optional.of((float) number("rope_local_base_freq")) : Optional.empty();
  }

  private String ropeType() throws InvalidModelException {
    JsonNode rope = rope();
    return rope.path("rope_type").asText(rope.path("type").asText("default"));
  }

  private int originalContext() throws InvalidModelException {
    String name = "original_max_position_embeddings";
    return rope().hasNonNull(name) ? whole(name, rope().path(name)) : whole(name);
  }

  /** By the lengths of contexts, unless the file says another. */
  private double longRopeMagnitude(int original) throws InvalidModelException {
    return number("attention_factor", RopeScaling.LongRope.magnitude(whole("max_position_embeddings"), original), rope());
  }

  /** Tensors that GGUF files hold and checkpoints do not: the divisors of RoPE's frequencies. */
  public Map<TensorRole, float[]> computed() throws InvalidModelException {
    Map<TensorRole, float[]> tensors = new EnumMap<>(TensorRole.class);
    switch (ropeType()) {
      case "llama3" -> tensors.put(TensorRole.ROPE_FACTORS, llama3Factors());
      case "longrope", "su" -> {
        tensors.put(TensorRole.ROPE_FACTORS_LONG, list("long_factor"));
        tensors.put(TensorRole.ROPE_FACTORS_SHORT, list("short_factor"));
      }
      default -> { }
    }
    return tensors;
  }

  private float[] list(String name) throws InvalidModelException {
    JsonNode list = rope().path(name);
    float[] values = new float[rotatedWidth() / 2];
    if (list.size() != values.length) {
      throw unsupported(name + " has " + list.size() + " numbers; " + values.length + " pairs of channels are rotated");
    }
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) number(name, list.get(i));
    }
    return values;
  }

  /** Llama 3.1's: low frequencies are divided by the factor, high ones by nothing, and those between by something between (Grattafiori et al. 2024). */
  private float[] llama3Factors() throws InvalidModelException {
    JsonNode rope = rope();
    double factor = number("the factor of RoPE scaling", rope.path("factor"));
    double low = number("low_freq_factor", rope.path("low_freq_factor"));
    double high = number("high_freq_factor", rope.path("high_freq_factor"));
    int original = originalContext();
    double base = number("rope_theta", Hyperparameters.DEFAULT_ROPE_BASE, root, rope);
    int rotated = rotatedWidth();
    float[] factors = new float[rotated / 2];
    for (int i = 0; i < factors.length; i++) {
      double wavelength = 2 * Math.PI * Math.pow(base, 2.0 * i / rotated);
      if (wavelength < original / high) {
        factors[i] = 1;
      } else if (wavelength > original / low) {
        factors[i] = (float) factor;
      } else {
        double smooth = (original / wavelength - low) / (high - low);
        factors[i] = (float) (1 / ((1 - smooth) / factor + smooth));
      }
    }
    return factors;
  }
}
