package dev.nibble.quant;

import dev.nibble.tensor.TensorFormat;

/**
 * A tensor to convert, under its GGUF name, with rows in the order GGUF wants.
 *
 * @param name as in GGUF, "blk.0.attn_q.weight"
 * @param rows 1 for a vector
 * @param columns weights a row has
 * @param vector whether it has one dimension only; vectors stay F32
 * @param exactFormat unblocked format that holds the source's weights exactly, for rows that do not divide into blocks
 * @param reader gives rows as floats
 */
public record SourceTensor(String name, int rows, int columns, boolean vector, TensorFormat exactFormat, RowReader reader) {

  public long elementCount() {
    return (long) rows * columns;
  }

  /** Reads whole rows; called by several threads at once. */
  @FunctionalInterface
  public interface RowReader {
    /** Reads rows {@code firstRow} to {@code firstRow + rowCount - 1} to the beginning of {@code out}. */
    void read(int firstRow, int rowCount, float[] out);
  }
}
