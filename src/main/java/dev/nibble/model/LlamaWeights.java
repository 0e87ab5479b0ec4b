package dev.nibble.model;

import dev.nibble.kernel.TiledMatrix;
import java.util.List;

/**
 * Weights of a Llama; matrices are [outputs, inputs].
 *
 * @param embedding [vocabulary, width]
 * @param outputNorm [width]
 * @param output [vocabulary, width]; the embedding where the head is tied
 */
public record LlamaWeights(TiledMatrix embedding, List<Layer> layers, float[] outputNorm, TiledMatrix output) {
  /**
   * One transformer block.
   *
   * @param attentionNorm [width]
   * @param query [heads × headWidth, width]
   * @param key [keyValueHeads × headWidth, width]
   * @param value [keyValueHeads × headWidth, width]
   * @param attentionOutput [width, heads × headWidth]
   * @param feedForwardNorm [width]
   * @param gate [hidden, width]
   * @param up [hidden, width]
   * @param down [width, hidden]
   */
  public record Layer(
      float[] attentionNorm, TiledMatrix query, TiledMatrix key, TiledMatrix value, TiledMatrix attentionOutput,
      float[] feedForwardNorm, TiledMatrix gate, TiledMatrix up, TiledMatrix down) {}

  public LlamaWeights {
    layers = List.copyOf(layers);
  }

  /** Bytes of the matrices that computing one token reads: all but the embedding, of which it reads one row. */
  public long bytesPerToken() {
    long bytes = output.bytes();
    for (Layer layer : layers) {
      bytes += layer.query.bytes() + layer.key.bytes() + layer.value.bytes() + layer.attentionOutput.bytes() + layer.gate.bytes() + layer.up.bytes()
          + layer.down.bytes();
    }
    return bytes;
  }
}
