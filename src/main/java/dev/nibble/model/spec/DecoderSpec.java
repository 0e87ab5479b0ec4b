package dev.nibble.model.spec;

import java.util.List;

/**
 * What a decoder is, without its weights.
 *
 * @param family by the name that GGUF has for it, such as {@code llama}
 * @param width of the residual stream
 * @param vocabulary number of token ids
 * @param context longest sequence, in tokens
 * @param layers transformer blocks, in order; heads of keys and values are alike in all
 * @param outputNorm of what the head reads
 * @param embeddingScale by which rows of the embedding are multiplied; 1 for not at all
 * @param logitSoftcap logits become softcap × tanh(logit / softcap); 0 where they stay as they are
 */
public record DecoderSpec(
    String family, int width, int vocabulary, int context, List<LayerSpec> layers, Norm outputNorm, float embeddingScale, float logitSoftcap) {
  public DecoderSpec {
    layers = List.copyOf(layers);
    AttentionSpec first = layers.getFirst().attention();
    for (LayerSpec layer : layers) {
      if (layer.attention().keyValueHeads() != first.keyValueHeads() || layer.attention().headWidth() != first.headWidth()) {
        throw new IllegalArgumentException("layers have " + first.keyValueHeads() + " and " + layer.attention().keyValueHeads() + " key-value heads of "
            + first.headWidth() + " and " + layer.attention().headWidth() + " channels; pages of a cache hold one kind");
      }
    }
  }

  /** Without scale and cap. */
  public DecoderSpec(String family, int width, int vocabulary, int context, List<LayerSpec> layers, Norm outputNorm) {
    this(family, width, vocabulary, context, layers, outputNorm, 1, 0);
  }

  /** Key and value heads of every layer. */
  public int keyValueHeads() {
    return layers.getFirst().attention().keyValueHeads();
  }

  /** Channels of every head. */
  public int headWidth() {
    return layers.getFirst().attention().headWidth();
  }

  /** Channels of all query heads, in the layer that has most. */
  public int maxQueryWidth() {
    return layers.stream().mapToInt(layer -> layer.attention().queryWidth()).max().orElseThrow();
  }

  /** Channels of all key heads, or of all value heads. */
  public int keyValueWidth() {
    return layers.getFirst().attention().keyValueWidth();
  }

  /** The widest feed-forward. */
  public int maxHidden() {
    return layers.stream().mapToInt(layer -> layer.feedForward().hidden()).max().orElseThrow();
  }

  /** The rotary embeddings there are, each once, in the order of layers. */
  public List<Position> positions() {
    return layers.stream().map(layer -> layer.attention().position()).distinct().toList();
  }
}
