package dev.nibble.tensor;

/**
 * A row taken apart: weight i is {@code scales[i / 32] × factors[i / 16] × weights[i]}. Factors are 1 for formats that have none.
 */
public final class IntegerRow {
  /** Weights that share a scale. */
  public static final int SCALE_WEIGHTS = 32;
  /** Weights that share a factor. */
  public static final int FACTOR_WEIGHTS = 16;

  /** [columns] */
  public final byte[] weights;
  /** [columns / 16] */
  public final byte[] factors;
  /** [columns / 32], binary16 */
  public final short[] scales;

  /** @param columns weights of the row, a multiple of 32 */
  public IntegerRow(int columns) {
    if (columns % SCALE_WEIGHTS != 0) {
      throw new IllegalArgumentException("rows of " + columns + " weights are not whole groups of " + SCALE_WEIGHTS);
    }
    weights = new byte[columns];
    factors = new byte[columns / FACTOR_WEIGHTS];
    scales = new short[columns / SCALE_WEIGHTS];
  }

  /** Gives {@code count} weights from {@code first} on one scale, and no factors. */
  void scale(int first, int count, short scale) {
    for (int i = first; i < first + count; i += SCALE_WEIGHTS) {
      scales[i / SCALE_WEIGHTS] = scale;
    }
    for (int i = first; i < first + count; i += FACTOR_WEIGHTS) {
      factors[i / FACTOR_WEIGHTS] = 1;
    }
  }
}
