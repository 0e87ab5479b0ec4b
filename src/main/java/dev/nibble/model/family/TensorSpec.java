package dev.nibble.model.family;

import java.util.List;

/**
 * A tensor of a model: where it belongs, and what files call it.
 *
 * @param layer from 0; {@link #WHOLE_MODEL} for those of no layer
 * @param rows outputs; 1 for a vector
 * @param columns inputs, or a vector's length
 * @param vector whether files give it one dimension
 * @param ggufName such as {@code blk.0.attn_q.weight}
 * @param huggingFaceName such as {@code model.layers.0.self_attn.q_proj.weight}; empty for what is computed from {@code config.json}
 * @param transform what makes the GGUF tensor of the one of a Hugging Face checkpoint
 * @param optional whether a model may be without it
 */
public record TensorSpec(
    TensorRole role, int layer, int rows, int columns, boolean vector, String ggufName, String huggingFaceName, TensorTransform transform, boolean optional) {
  /** The layer of tensors that belong to none. */
  public static final int WHOLE_MODEL = -1;

  /** As GGUF has it, the inner dimension first. */
  public List<Long> ggufShape() {
    return vector ? List.of((long) columns) : List.of((long) columns, (long) rows);
  }

  /** As safetensors have it, the inner dimension last. */
  public List<Long> huggingFaceShape() {
    return vector ? List.of((long) columns) : List.of((long) rows, (long) columns);
  }
}
