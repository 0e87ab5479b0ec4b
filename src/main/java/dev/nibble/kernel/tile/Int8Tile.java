package dev.nibble.kernel.tile;

/**
 * The places in blocks of {@link TileLayout#INT8_SYMMETRIC} and {@link TileLayout#INT6_FACTORED}, 16 rows × 32 inputs: the rows' binary16 scales, for six bits
 * 16 signed bytes of factors for each group of 16 inputs, then for each half of a group of 8 inputs 16 ints, one for each row. The low short of an int holds
 * inputs 2h and 2h + 1 of the group (half h is 0 or 1), the high one inputs 4 + 2h and 5 + 2h, the first in its low byte. Bytes of 8-bit weights are signed,
 * those of 6-bit ones are weight + 32.
 */
public final class Int8Tile {
  /** Bytes of 16 scales. */
  public static final int SCALE_BYTES = 32;
  /** Bytes of 16 scales and, for two groups, 16 factors. */
  public static final int SIX_BIT_SCALE_BYTES = SCALE_BYTES + 32;
  /** Inputs of a group, which share a factor. */
  public static final int GROUP_INPUTS = 16;
  /** Bytes of 16 rows × 4 inputs. */
  public static final int VECTOR_BYTES = 64;
  /** Of these, how many make 16 inputs. */
  public static final int GROUP_VECTORS = 4;
  /** Bytes of 16 rows × 16 inputs. */
  public static final int GROUP_BYTES = GROUP_VECTORS * VECTOR_BYTES;
  /** 8.5 bits a weight. */
  public static final int EIGHT_BIT_BLOCK_BYTES = SCALE_BYTES + 2 * GROUP_BYTES;
  /** 9 bits a weight. */
  public static final int SIX_BIT_BLOCK_BYTES = SIX_BIT_SCALE_BYTES + 2 * GROUP_BYTES;
  /** What is added to 6-bit weights. */
  public static final int SIX_BIT_OFFSET = 32;

  private Int8Tile() {}

  /** Which byte after scales and factors holds an input of a row. */
  public static int byteOf(int row, int input) {
    return (2 * (input / 8) + input % 4 / 2) * VECTOR_BYTES + 4 * row + 2 * (input % 8 / 4) + input % 2;
  }
}
