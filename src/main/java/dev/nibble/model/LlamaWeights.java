package dev.nibble.model;

import dev.nibble.kernel.TiledMatrix;
import java.util.List;

/**
 * Weights of a Llama or Qwen2; matrices are [outputs, inputs].
 *
 * @param embedding [vocabulary, width]
 * @param outputNorm [width]
 * @param output [vocabulary, width]; the embedding where the head is tied
 * @param ropeDivisors [headWidth / 2], by which the frequencies of RoPE are divided: Llama 3.1's factors, or the factor of linear scaling (position
 *     interpolation, Chen et al. 2023); empty where they are taken as they are
 */
public record LlamaWeights(TiledMatrix embedding, List<Layer> layers, float[] outputNorm, TiledMatrix output, double[] ropeDivisors) {
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
   * @param biases added to queries, keys and values
   */
  public record Layer(
      float[] attentionNorm, TiledMatrix query, TiledMatrix key, TiledMatrix value, TiledMatrix attentionOutput,
      float[] feedForwardNorm, TiledMatrix gate, TiledMatrix up, TiledMatrix down, Biases biases) {
    /** A layer without biases, as Llama's. */
    public Layer(
        float[] attentionNorm, TiledMatrix query, TiledMatrix key, TiledMatrix value, TiledMatrix attentionOutput,
        float[] feedForwardNorm, TiledMatrix gate, TiledMatrix up, TiledMatrix down) {
      this(attentionNorm, query, key, value, attentionOutput, feedForwardNorm, gate, up, down, Biases.NONE);
    }
  }

  /**
   * What is added to projections, as Qwen2 does; empty where nothing is.
   *
   * @param query [heads × headWidth]
   * @param key [keyValueHeads × headWidth]
   * @param value [keyValueHeads × headWidth]
   */
  public record Biases(float[] query, float[] key, float[] value) {
    /** Adds nothing. */
    public static final Biases NONE = new Biases(new float[0], new float[0], new float[0]);
  }

  public LlamaWeights {
    layers = List.copyOf(layers);
  }

  /** With RoPE's frequencies as they are. */
  public LlamaWeights(TiledMatrix embedding, List<Layer> layers, float[] outputNorm, TiledMatrix output) {
    this(embedding, layers, outputNorm, output, new double[0]);
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
