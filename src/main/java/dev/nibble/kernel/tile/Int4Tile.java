package dev.nibble.kernel.tile;

/**
 * The places in a block of {@link TileLayout#INT4_SYMMETRIC}, 16 rows × 32 inputs in 288 bytes, 4.5 bits a weight: the rows' binary16 scales, then for each
 * group of 8 inputs 16 ints, one for each row. The low short of an int holds the unsigned nibbles of the group's inputs 0 … 3, lowest first, the high one
 * those of inputs 4 … 7. A weight is scale × (nibble - 8), in {@link TileLayout#INT4_AFFINE} scale × nibble + minimum. Rows are in order, so that a vector of
 * any width is a slice of a tile.
 */
public final class Int4Tile {
  /** Bytes of a block. */
  public static final int BLOCK_BYTES = 288;
  /** Shorts of a block. */
  public static final int BLOCK_SHORTS = BLOCK_BYTES / 2;
  /** Bytes of a block's scales. */
  public static final int SCALE_BYTES = 32;
  /** Bytes of a block's binary16 minimums, in {@link TileLayout#INT4_AFFINE}: they stand behind all blocks of a tile, in the order of blocks and rows. */
  public static final int MINIMUM_BYTES = 32;
  /** Groups of 8 inputs in a block. */
  public static final int GROUPS = 4;
  /** Bytes of a group. */
  public static final int GROUP_BYTES = 64;

  private Int4Tile() {}

  /** Which short of a block holds an input's nibble of a row, at bit {@code 4 × (input % 4)}. */
  public static int shortOf(int row, int input) {
    return SCALE_BYTES / 2 + input / 8 * (GROUP_BYTES / 2) + 2 * row + input % 8 / 4;
  }
}
