package dev.nibble.tensor;

/**
 * A codec of weights that are scale × nibble + minimum, with a binary16 scale and minimum for each 32 of them. Where a format's own scales and minimums are no
 * binary16 numbers, they are rounded to them, and nothing else is.
 */
public interface AffineCodec extends BlockCodec {
  /**
   * Takes one block apart.
   *
   * @param in holds the block from {@code at} on
   * @param row gets its parts
   * @param first index that the block's first weight has in the row
   */
  void split(byte[] in, int at, AffineRow row, int first);
}
