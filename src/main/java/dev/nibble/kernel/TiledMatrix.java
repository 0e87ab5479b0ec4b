package dev.nibble.kernel;

import dev.nibble.kernel.tile.ActivationForm;
import dev.nibble.kernel.tile.TileLayout;
import java.lang.foreign.MemorySegment;

/**
 * A weight matrix in tiles of 16 rows, kept in native memory: rows in vector lanes, inputs in order, so that products need no sum
 * across lanes and their bits depend neither on vector width nor on how many tokens are computed together. Missing rows of
 * the last tile are zero.
 */
public sealed interface TiledMatrix permits Q4Matrix, Int8Matrix, FloatMatrix, HalfMatrix {
  /** Rows of a tile. */
  int TILE_ROWS = TileLayout.ROWS;

  /** Outputs. */
  int rows();

  /** Inputs. */
  int columns();

  /** How the weights lie in memory. */
  TileLayout layout();

  /** The tiles, as {@link #of} takes them. */
  MemorySegment segment();

  /** Native memory taken. */
  default long bytes() {
    return segment().byteSize();
  }

  /** Whether products read the int8 form of their inputs. */
  default boolean integer() {
    return layout().activations() == ActivationForm.INT8;
  }

  /** Reads a row as floats: {@code out[offset … offset + columns - 1]}. For one thread at a time: the copy of a tile that it reads from is kept. */
  void row(int row, float[] out, int offset);

  /**
   * Computes some tiles' outputs for all tokens: {@code out[token × stride + row]}.
   *
   * @param x tokens × columns, quantised if {@link #integer}
   * @param tokens number of vectors
   * @param out tokens × stride; stride a multiple of 16, rows rounded up to 16 are written
   * @param from first tile
   * @param to one past the last tile
   * @param kernels the code that computes
   * @param panel scratch memory of the calling thread
   */
  void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelProvider kernels, Panel panel);

  /**
   * Some rows as a matrix of their own, in the same memory.
   *
   * @throws IllegalArgumentException if they do not begin with a tile, or end within one before the last
   */
  default TiledMatrix slice(int first, int rows) {
    int end = first + rows;
    if (first < 0 || rows < 1 || end > rows() || first % TILE_ROWS != 0 || end % TILE_ROWS != 0 && end != rows()) {
      throw new IllegalArgumentException("rows " + first + " to " + (end - 1) + " of " + rows() + " are not whole tiles of " + TILE_ROWS + " rows");
    }
    long tile = layout().tileBytes(columns());
    return of(layout(), rows, columns(), segment().asSlice(first / TILE_ROWS * tile, tiles(rows) * tile));
  }

  /** Tiles. */
  default int tiles() {
    return tiles(rows());
  }

  /** Tiles that so many rows make. */
  static int tiles(int rows) {
    return TileLayout.tiles(rows);
  }

  /**
   * A matrix of tiles that are in memory already, as {@link TilePacker} made them.
   *
   * @param segment native or mapped memory: the tiles, and nothing else
   * @throws IllegalArgumentException for memory of another size, on the heap, or rows that are not whole blocks
   */
  static TiledMatrix of(TileLayout layout, int rows, int columns, MemorySegment segment) {
    long expected = layout.bytes(rows, columns);
    if (rows < 1 || segment.byteSize() != expected || !segment.isNative()) {
      throw new IllegalArgumentException("tiles of " + rows + " × " + columns + " " + layout + " weights take " + expected + " bytes of native memory, not "
          + segment.byteSize() + (segment.isNative() ? "" : " on the heap"));
    }
    // The same memory, but of the one class that native segments have: where a compiler of native images can't rule out segments of
    // another class (a slice of a heap segment anywhere in the program is enough), its vector loads read from wrong addresses.
    MemorySegment tiles = segment.reinterpret(segment.byteSize());
    return switch (layout) {
      case INT4_SYMMETRIC, INT4_AFFINE -> new Q4Matrix(layout, rows, columns, tiles);
      case INT8_SYMMETRIC, INT6_FACTORED -> new Int8Matrix(layout, rows, columns, tiles);
      case HALF, BFLOAT -> new HalfMatrix(layout, rows, columns, tiles);
      case FLOAT -> new FloatMatrix(rows, columns, tiles);
    };
  }

  /** Rows rounded up to whole tiles. */
  static int padded(int rows) {
    return (rows + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
  }

  /** Checks once what vector loads and stores rely on. */
  static void check(TiledMatrix matrix, Activations x, int tokens, float[] out, int stride, int from, int to) {
    if (x.columns() != matrix.columns() || (long) tokens * x.stride() > x.values.length) {
      throw new IllegalArgumentException("inputs are " + tokens + " × " + x.columns() + ", the matrix has " + matrix.columns() + " columns");
    }
    if (stride < matrix.tiles() * TILE_ROWS || (long) tokens * stride > out.length || from < 0 || to > matrix.tiles()) {
      throw new IllegalArgumentException("output of " + out.length + " is too small for " + tokens + " × " + stride);
    }
  }
}
