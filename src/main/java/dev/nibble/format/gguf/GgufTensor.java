package dev.nibble.format.gguf;

import dev.nibble.tensor.TensorFormat;
import java.util.List;

/**
 * A tensor of a model file.
 *
 * @param name such as "blk.0.attn_q.weight"
 * @param shape innermost dimension first: a matrix is [columns, rows]
 * @param type how its weights are stored
 * @param offset of the data, from the file's beginning; of a model in several files, as though they were one after the other
 * @param bytes of the data
 */
public record GgufTensor(String name, List<Long> shape, TensorFormat type, long offset, long bytes) {
  public GgufTensor {
    shape = List.copyOf(shape);
  }

  /** Weights of a row: the innermost dimension. */
  public long columns() {
    return shape.getFirst();
  }

  /** Product of the outer dimensions; 1 for a vector. */
  public long rows() {
    return elements() / columns();
  }

  public long elements() {
    return shape.stream().reduce(1L, (a, b) -> a * b);
  }
}
