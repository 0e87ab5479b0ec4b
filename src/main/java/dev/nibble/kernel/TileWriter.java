package dev.nibble.kernel;

import java.nio.ByteBuffer;

/** Arranges 16 rows of one format as a tile. Each worker has its own, with its own scratch memory. */
abstract sealed class TileWriter permits Q4TileWriter, Int8TileWriter, HalfTileWriter, FloatTileWriter {
  /** The tile, after {@link #write}: its bytes are these ints, little-endian. */
  final int[] tile;

  TileWriter(NumericFormat format, int columns) {
    tile = new int[Math.toIntExact(TiledMatrix.tileBytes(format, columns) / Integer.BYTES)];
  }

  static TileWriter of(NumericFormat format, int columns) {
    return switch (format) {
      case F32 -> new FloatTileWriter(columns);
      case F16, BF16 -> new HalfTileWriter(format, columns);
      case Q4_0 -> new Q4TileWriter(columns);
      case Q8_0, Q6_K -> new Int8TileWriter(format, columns);
    };
  }

  /**
   * Makes {@link #tile} of 16 rows.
   *
   * @param rows the rows' bytes one after the other, zeros where the matrix has no more rows
   * @param count rows there are, 1 to 16
   * @param first number of the first row, for messages
   * @throws IllegalArgumentException for a weight or scale that is not finite
   */
  abstract void write(byte[] rows, int count, long first);

  /** Writes 16 rows' binary16 scales, the first one at {@code from} and the others a row apart. */
  final void scales(ByteBuffer in, int from, int rowBytes, long first, int block, int to) {
    for (int pair = 0; pair < TiledMatrix.TILE_ROWS / 2; pair++) {
      short low = Half.finite(in.getShort(from + 2 * pair * rowBytes), first + 2 * pair, block);
      short high = Half.finite(in.getShort(from + (2 * pair + 1) * rowBytes), first + 2 * pair + 1, block);
      tile[to + pair] = low & 0xffff | high << 16;
    }
  }
}
