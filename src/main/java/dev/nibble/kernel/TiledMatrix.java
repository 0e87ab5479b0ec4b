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

  /** Outputs. */
  int rows();

  /** Inputs. */
  int columns();

  /** Format of the weights in the file they came from. */
  NumericFormat format();

  /** Native memory taken. */
  long bytes();

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
   */
  void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelMode mode);

  /** Tiles. */
  default int tiles() {
    return (rows() + TILE_ROWS - 1) / TILE_ROWS;
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

  /** Copies a finished tile to native memory. */
  static void store(short[] tile, MemorySegment target, long offset) {
    MemorySegment.copy(MemorySegment.ofArray(tile), 0, target, offset, 2L * tile.length);
  }
}
