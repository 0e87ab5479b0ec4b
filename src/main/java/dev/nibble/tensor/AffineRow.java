package dev.nibble.tensor;

/** Rows, or blocks of rows, taken apart: weight i is {@code scales[i / 32] × nibbles[i] + minimums[i / 32]}. */
public final class AffineRow {
  /** Weights that share a scale and a minimum. */
  public static final int GROUP = 32;

  /** [columns], 0 to 15 */
  public final byte[] nibbles;
  /** [columns / 32], binary16 */
  public final short[] scales;
  /** [columns / 32], binary16 */
  public final short[] minimums;

  /** @param columns number of weights, a multiple of 32 */
  public AffineRow(int columns) {
    if (columns % GROUP != 0) {
      throw new IllegalArgumentException("rows of " + columns + " weights are not whole groups of " + GROUP);
    }
    nibbles = new byte[columns];
    scales = new short[columns / GROUP];
    minimums = new short[columns / GROUP];
  }
}
