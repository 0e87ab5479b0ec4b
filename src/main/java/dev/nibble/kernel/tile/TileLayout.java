package dev.nibble.kernel.tile;

/**
 * How weights lie in memory while they are computed with: few layouts, onto which the many formats of files are mapped ({@link TileMapping}). A tile is 16 rows,
 * kept as blocks of so many inputs one after the other. All is little-endian. A kernel reads one layout.
 *
 * <p>Numbers and versions are what packed files carry. Whoever changes a layout counts its version up: tiles of the old one are refused rather than
 * computed from.
 */
public enum TileLayout {
  /** Nibbles with a scale for 32, see {@link Int4Tile}: w = scale × (nibble - 8). */
  INT4_SYMMETRIC(1, 1, 32, Int4Tile.BLOCK_BYTES, ActivationForm.INT8),
  /** Bytes with a scale for 32, see {@link Int8Tile}: w = scale × byte. */
  INT8_SYMMETRIC(2, 1, 32, Int8Tile.EIGHT_BIT_BLOCK_BYTES, ActivationForm.INT8),
  /** Integers from -32 to 31, kept in bytes, with a scale for 32 and an integer factor for 16, see {@link Int8Tile}: w = scale × factor × integer. */
  INT6_FACTORED(3, 1, 32, Int8Tile.SIX_BIT_BLOCK_BYTES, ActivationForm.INT8),
  /** binary16, see {@link HalfTile}. */
  HALF(4, 1, 1, TileLayout.ROWS * Short.BYTES, ActivationForm.FLOATS),
  /** bfloat16, see {@link HalfTile}. */
  BFLOAT(5, 1, 1, TileLayout.ROWS * Short.BYTES, ActivationForm.FLOATS),
  /** binary32: for each input in order 16 floats, rows in order. */
  FLOAT(6, 1, 1, TileLayout.ROWS * Float.BYTES, ActivationForm.FLOATS),
  /** Nibbles with a scale and a minimum for 32, see {@link Int4Tile}: w = scale × nibble + minimum. */
  INT4_AFFINE(7, 1, 32, Int4Tile.BLOCK_BYTES + Int4Tile.MINIMUM_BYTES, ActivationForm.INT8);

  /** Rows of a tile. */
  public static final int ROWS = 16;
  /** Inputs of a block of integers. */
  public static final int BLOCK = 32;
  /** Pairs of them: integer kernels take inputs two by two. */
  public static final int PAIRS = BLOCK / 2;

  private final int number;
  private final int version;
  private final int blockInputs;
  private final int blockBytes;
  private final ActivationForm activations;

  TileLayout(int number, int version, int blockInputs, int blockBytes, ActivationForm activations) {
    this.number = number;
    this.version = version;
    this.blockInputs = blockInputs;
    this.blockBytes = blockBytes;
    this.activations = activations;
  }

  /** What stands for it in packed files; never given to another. */
  public int number() {
    return number;
  }

  /** Counts the changes of this layout. */
  public int version() {
    return version;
  }

  /** Inputs of a block; rows are whole blocks. */
  public int blockInputs() {
    return blockInputs;
  }

  /** Bytes of a block of 16 rows. */
  public int blockBytes() {
    return blockBytes;
  }

  /** What its kernels read of their inputs. */
  public ActivationForm activations() {
    return activations;
  }

  /** Bytes of a tile of so many inputs. @throws IllegalArgumentException if they are not whole blocks */
  public long tileBytes(int columns) {
    if (columns % blockInputs != 0) {
      throw new IllegalArgumentException("rows of " + columns + " weights are not whole blocks of " + blockInputs);
    }
    return (long) columns / blockInputs * blockBytes;
  }

  /** Bytes of a matrix. @throws IllegalArgumentException if its rows are not whole blocks */
  public long bytes(int rows, int columns) {
    return Math.multiplyExact(tileBytes(columns), (long) tiles(rows));
  }

  /** Tiles that so many rows make. */
  public static int tiles(int rows) {
    return (rows + ROWS - 1) / ROWS;
  }
}
