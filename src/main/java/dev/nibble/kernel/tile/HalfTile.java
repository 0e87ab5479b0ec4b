package dev.nibble.kernel.tile;

/**
 * The places in tiles of {@link TileLayout#HALF} and {@link TileLayout#BFLOAT}: for each input in order 16 shorts. Short 2i is row i, short 2i + 1 is row
 * 8 + i, so that shorts become floats by shifts of ints, in their lanes.
 */
public final class HalfTile {
  /** Bytes of the 16 shorts of an input. */
  public static final int INPUT_BYTES = TileLayout.ROWS * Short.BYTES;

  private HalfTile() {}

  /** The short that a row has among the 16 of an input. */
  public static int lane(int row) {
    return row < 8 ? 2 * row : 2 * (row - 8) + 1;
  }
}
