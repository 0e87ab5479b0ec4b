package dev.nibble.tensor;

/**
 * A codec of weights that are scale × factor × integer: a binary16 scale for 32 of them or more, an integer factor for 16 or more, all small. So
 * they can be computed with as integers. Where a format's own scales are no binary16 numbers, they are rounded to them, and nothing else is.
 */
public interface IntegerCodec extends BlockCodec {
  /**
   * Takes one block apart.
   *
   * @param in holds the block from {@code at} on
   * @param row gets its parts
   * @param first index that the block's first weight has in the row
   */
  void split(byte[] in, int at, IntegerRow row, int first);
}
