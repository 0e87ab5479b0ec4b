package dev.nibble.model.family;

import dev.nibble.format.gguf.GgufMetadata;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.kernel.PageLayout;
import dev.nibble.model.spec.Activation;
import dev.nibble.model.spec.AttentionSpec;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.FeedForwardSpec;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.model.spec.LayerSpec;
import dev.nibble.model.spec.Norm;
import dev.nibble.model.spec.Position;
import dev.nibble.model.spec.RopePairs;
import dev.nibble.model.spec.RopeScaling;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/**
 * A model's metadata as families read them: by the second part of their keys, checked, and with the parts that most families share already made. Keys are
 * those of the GGUF specification.
 */
public final class Hyperparameters {
  private static final double LEAST_EPSILON = 1e-30; // squares of floats can be this small; below, a vector of zeros would divide by zero
  /** Where a file says no other: GGUF's specification, and the transformers library's. */
  static final double DEFAULT_ROPE_BASE = 10000;
  private static final int MAX_SIZE = 1 << 24; // of any size: keeps products of two within a long, and typing errors out
  private static final int MAX_WIDTH = 1 << 18; // of any vector but logits: 256 tokens' worth of them is an array, and the widest known has 53,248
  private static final int MAX_LAYERS = 1 << 12;
  /** RoPE's frequencies are at most 1: divided by this and multiplied with the longest context, angles stay below 2^30, which sine and cosine take. */
  public static final double LEAST_ROPE_DIVISOR = 1.0 / 64;

  private final GgufMetadata metadata;
  private final String architecture;
  private final int vocabulary;

  /** @param vocabulary number of token ids, which the rows of the embedding tell */
  public Hyperparameters(GgufMetadata metadata, long vocabulary) throws InvalidModelException {
    this.metadata = metadata;
    architecture = metadata.requireString("general.architecture");
    if (vocabulary < 1 || vocabulary > MAX_SIZE) {
      throw invalid("its vocabulary has " + vocabulary + " tokens");
    }
    this.vocabulary = (int) vocabulary;
  }

  /** Says that the model can't be run. */
  public InvalidModelException invalid(String why) {
    return new InvalidModelException("the model in " + metadata.file() + " can't be run: " + why);
  }

  /** A key of the architecture's own. */
  public String key(String name) {
    return architecture + "." + name;
  }

  /** A whole number from 1 on. */
  private int size(String name, int most) {
    return metadata.requireInteger(key(name), 1, most);
  }

  /** Whether there is such a key. */
  public boolean has(String name) {
    return metadata.find(key(name)).isPresent();
  }

  /** Tokens of a sliding window; 0 for none. */
  public int window() {
    return has("attention.sliding_window") ? metadata.requireInteger(key("attention.sliding_window"), 0, MAX_SIZE) : 0;
  }

  public int layers() {
    return size("block_count", MAX_LAYERS);
  }

  public int width() {
    return size("embedding_length", MAX_WIDTH);
  }

  /** Longest sequence. */
  public int context() {
    return size("context_length", MAX_SIZE);
  }

  /** A number that must be finite and not negative; {@code otherwise} where there is none. */
  public float number(String name, double otherwise) throws InvalidModelException {
    double value = metadata.number(key(name)).orElse(otherwise);
    if (!(value >= 0 && value <= Float.MAX_VALUE)) {
      throw invalid(key(name) + " is " + value + "; allowed: 0 and more");
    }
    return (float) value;
  }

  /** The RMSNorm that all layers have. */
  public Norm norm() throws InvalidModelException {
    String key = key("attention.layer_norm_rms_epsilon");
    double epsilon = metadata.number(key).orElseThrow(() -> metadata.missing(key));
    if (!(epsilon >= LEAST_EPSILON && epsilon < 1)) {
      throw invalid("RMSNorm epsilon " + epsilon + " is out of range");
    }
    return new Norm.Rms((float) epsilon);
  }

  /** The base of a rotary embedding. */
  public float ropeBase(String name, double otherwise) throws InvalidModelException {
    double base = metadata.number(key(name)).orElse(otherwise);
    if (!(base >= 1 && base < Float.MAX_VALUE)) {
      throw invalid("RoPE base " + base + " is out of range");
    }
    return (float) base;
  }

  /** Attention of all layers, rotated, with one window. */
  public AttentionSpec attention(RopePairs pairs, RopeScaling scaling) throws InvalidModelException {
    int width = width();
    int heads = size("attention.head_count", MAX_WIDTH);
    int keyValueHeads = has("attention.head_count_kv") ? size("attention.head_count_kv", MAX_WIDTH) : heads;
    boolean ownLength = has("attention.key_length");
    if (!ownLength && width % heads != 0) {
      throw invalid(heads + " heads do not divide a width of " + width);
    }
    int headWidth = ownLength ? size("attention.key_length", MAX_WIDTH) : width / heads;
    if (has("attention.value_length") && size("attention.value_length", MAX_WIDTH) != headWidth) {
      throw invalid("heads of keys and values have different widths");
    }
    if (heads % keyValueHeads != 0 || headWidth % 2 != 0) {
      throw invalid(heads + " heads of width " + headWidth + " do not go with " + keyValueHeads + " key-value heads");
    }
    int layers = layers();
    if ((long) heads * headWidth > MAX_WIDTH || 2L * PageLayout.TOKENS * PageLayout.paddedWidth(headWidth) * keyValueHeads * layers > Integer.MAX_VALUE) {
      throw invalid(layers + " layers of " + heads + " heads (" + keyValueHeads + " for keys and values) of width " + headWidth + " are larger than anything that can be computed");
    }
    int rotated = has("rope.dimension_count") ? size("rope.dimension_count", MAX_WIDTH) : headWidth;
    if (rotated % 2 != 0 || rotated > headWidth) {
      throw invalid(key("rope.dimension_count") + " is " + rotated + "; allowed: an even number up to the heads' width, " + headWidth);
    }
    Position position = new Position.Rope(ropeBase("rope.freq_base", DEFAULT_ROPE_BASE), rotated, pairs, scaling);
    return new AttentionSpec(heads, keyValueHeads, headWidth, position, window(), (float) (1 / Math.sqrt(headWidth)), 0, Optional.empty());
  }

  /** The factor of linear scaling; 1 for none. A factor without a type is linear, as in llama.cpp; so is the older key. */
  public double linearRopeFactor() throws InvalidModelException {
    String type = metadata.string(key("rope.scaling.type")).orElse("linear");
    if (!type.equals("none") && !type.equals("linear")) {
      throw invalid("RoPE scaling of type \"" + type + "\" is not supported; supported: none, linear, and Llama 3.1's factors (tensor rope_freqs.weight)");
    }
    double magnitude = metadata.number(key("rope.scaling.attn_factor")).orElse(1);
    if (magnitude != 1) {
      throw invalid(key("rope.scaling.attn_factor") + " is " + magnitude + "; only 1 is supported");
    }
    double factor = metadata.number(key("rope.scaling.factor")).orElse(metadata.number(key("rope.scale_linear")).orElse(0));
    if (type.equals("none") || factor == 0) { // 0 stands for no scaling in llama.cpp
      return 1;
    }
    if (!(factor >= LEAST_ROPE_DIVISOR && factor <= MAX_SIZE)) {
      throw invalid("the factor of linear RoPE scaling is " + factor + "; allowed: " + LEAST_ROPE_DIVISOR + " to " + MAX_SIZE);
    }
    return factor;
  }

  /** LongRoPE where the file has it, else {@link #linearRopeFactor}. */
  public RopeScaling longRope() throws InvalidModelException {
    String original = key("rope.scaling.original_context_length");
    String type = metadata.string(key("rope.scaling.type")).orElse(metadata.find(original).isPresent() ? "longrope" : "none");
    if (!type.equals("longrope")) {
      return new RopeScaling.Linear(linearRopeFactor());
    }
    int tokens = metadata.requireInteger(original, 2, MAX_SIZE);
    return new RopeScaling.LongRope(tokens, number("rope.scaling.attn_factor", RopeScaling.LongRope.magnitude(context(), tokens)));
  }

  /**
   * Which layers have a sliding window, by the file's {@code attention.sliding_window_pattern}: a truth value a layer, or the number of layers of which the last has
   * none.
   *
   * @param pattern that number, where the file says neither
   */
  public boolean[] windowedLayers(int pattern) throws InvalidModelException {
    String key = key("attention.sliding_window_pattern");
    boolean[] windowed = new boolean[layers()];
    if (metadata.find(key).orElse(null) instanceof GgufValue.Bools bools) {
      if (bools.size() != windowed.length) {
        throw invalid(key + " has " + bools.size() + " values for " + windowed.length + " layers");
      }
      return bools.values().clone();
    }
    int of = has("attention.sliding_window_pattern") ? metadata.requireInteger(key, 1, MAX_LAYERS) : pattern;
    for (int i = 0; i < windowed.length; i++) {
      windowed[i] = (i + 1) % of != 0;
    }
    return windowed;
  }

  /** A gated feed-forward. */
  public FeedForwardSpec gated(Activation activation) {
    return new FeedForwardSpec.Gated(size("feed_forward_length", MAX_WIDTH), activation);
  }

  /** A model of layers that are all alike, without scales or caps. */
  public DecoderSpec uniform(LayerSpec layer) throws InvalidModelException {
    return decoder(Collections.nCopies(layers(), layer), 1, 0);
  }

  /** A model of these layers. */
  public DecoderSpec decoder(List<LayerSpec> layers, float embeddingScale, float logitSoftcap) throws InvalidModelException {
    return new DecoderSpec(architecture, width(), vocabulary, context(), layers, norm(), embeddingScale, logitSoftcap);
  }
}
