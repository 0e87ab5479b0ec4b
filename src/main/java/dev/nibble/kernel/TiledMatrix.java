package dev.nibble.kernel;

import java.lang.foreign.MemorySegment;

/**
 * A weight matrix in tiles of 16 rows, kept in native memory: rows in vector lanes, inputs in order, so that products need no sum
 * across lanes and their bits depend neither on vector width nor on how many tokens are computed together. Missing rows of
 * the last tile are zero.
 */
public sealed interface TiledMatrix permits Q4Matrix, Int8Matrix, FloatMatrix, HalfMatrix {
  /** Rows of a tile. */
  int TILE_ROWS = 16;

  /** Tiles that kernels take together when there is one vector: work is shared out in so many, so that none is computed twice but at a matrix' end. */
  int SHARE = 4;

  /** Outputs. */
  int rows();

  /** Inputs. */
  int columns();

  /** Format of the weights in the file they came from. */
  NumericFormat format();

  /** The tiles, as {@link #of} takes them. */
  MemorySegment segment();

  /** Native memory taken. */
  default long bytes() {
    return segment().byteSize();
  }

  /** Whether products read the int8 form of their inputs. */
  boolean integer();

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
   * @param panel scratch memory of the calling thread
   */
  void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelMode mode, Panel panel);

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
    long tile = tileBytes(format(), columns());
    return of(format(), rows, columns(), segment().asSlice(first / TILE_ROWS * tile, tiles(rows) * tile));
  }

  /** Tiles. */
  default int tiles() {
    return tiles(rows());
  }

  /** Tiles that so many rows make. */
  static int tiles(int rows) {
    return (rows + TILE_ROWS - 1) / TILE_ROWS;
  }

  /**
   * A matrix of tiles that are in memory already, as {@link TilePacker} made them.
   *
   * @param format of the rows they were made of
   * @param segment native or mapped memory: the tiles, and nothing else
   * @throws IllegalArgumentException for memory of another size, on the heap, or rows that are not whole blocks
   */
  static TiledMatrix of(NumericFormat format, int rows, int columns, MemorySegment segment) {
    long expected = Math.multiplyExact(tileBytes(format, columns), (long) tiles(rows));
    if (rows < 1 || segment.byteSize() != expected || !segment.isNative()) {
      throw new IllegalArgumentException("tiles of " + rows + " × " + columns + " " + format + " weights take " + expected + " bytes of native memory, not "
          + segment.byteSize() + (segment.isNative() ? "" : " on the heap"));
    }
    // The same memory, but of the one class that native segments have: where a compiler of native images can't rule out segments of
    // another class (a slice of a heap segment anywhere in the program is enough), its vector loads read from wrong addresses.
    MemorySegment tiles = segment.reinterpret(segment.byteSize());
    return switch (format) {
      case F32 -> new FloatMatrix(rows, columns, tiles);
      case F16, BF16 -> new HalfMatrix(format, rows, columns, tiles);
      case Q4_0 -> new Q4Matrix(rows, columns, tiles);
      case Q8_0, Q6_K -> new Int8Matrix(format, rows, columns, tiles);
    };
  }

  /** Bytes of a tile. @throws IllegalArgumentException if rows are not whole blocks */
  static long tileBytes(NumericFormat format, int columns) {
    format.bytes(columns);
    return switch (format) {
      case F32 -> 4L * TILE_ROWS * columns;
      case F16, BF16 -> 2L * TILE_ROWS * columns;
      case Q4_0 -> (long) columns / Activations.BLOCK * Q4Matrix.BLOCK_BYTES;
      case Q8_0, Q6_K -> (long) columns / Activations.BLOCK * Int8Matrix.blockBytes(format == NumericFormat.Q6_K);
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
