package dev.nibble.tensor;

import java.util.Objects;

/**
 * Reads one format's blocks. Values are those of ggml's reference code, bit for bit: its float operations, in its order. Not necessarily safe for several
 * threads at once: {@link TensorFormat#codec} gives each caller its own.
 */
public interface BlockCodec {
  /** The row of the table that this codec belongs to. */
  TensorFormat format();

  /** Bytes of a block: the sum of its parts, which the table's figure is compared with. */
  int blockBytes();

  /**
   * Expands one block.
   *
   * @param in holds the block from {@code at} on
   * @param out gets {@link TensorFormat#blockSize} weights from {@code to} on
   */
  void decodeBlock(byte[] in, int at, float[] out, int to);

  /**
   * Expands {@code count} weights from the blocks at {@code from} to {@code out} from {@code outFrom} on.
   *
   * @throws IllegalArgumentException if the count is not a whole number of blocks
   * @throws IndexOutOfBoundsException if an array is too short
   */
  default void decode(byte[] in, int from, float[] out, int outFrom, int count) {
    Objects.checkFromIndexSize(from, Math.toIntExact(format().bytes(count)), in.length);
    Objects.checkFromIndexSize(outFrom, count, out.length);
    int size = format().blockSize();
    for (int i = 0, at = from; i < count; i += size, at += blockBytes()) {
      decodeBlock(in, at, out, outFrom + i);
    }
  }

  /** Expands the first {@code count} weights of a row; errors as {@link #decode(byte[], int, float[], int, int)}. */
  default float[] decode(byte[] blocks, int count) {
    float[] out = new float[count];
    decode(blocks, 0, out, 0, count);
    return out;
  }
}
