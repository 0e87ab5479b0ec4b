package dev.nibble.kernel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Tiles of {@link HalfMatrix}. */
final class HalfTileWriter extends TileWriter {
  private static final int PAIRS = TiledMatrix.TILE_ROWS / 2;

  private final int columns;
  private final int exponent; // the bits that are all set where a value is not finite

  HalfTileWriter(NumericFormat format, int columns) {
    super(format, columns);
    this.columns = columns;
    exponent = format == NumericFormat.F16 ? 0x7c00 : 0x7f80;
  }

  @Override
  void write(byte[] rows, int count, long first) {
    ByteBuffer in = ByteBuffer.wrap(rows).order(ByteOrder.LITTLE_ENDIAN);
    for (int pair = 0; pair < PAIRS; pair++) {
      int low = 2 * pair * columns;
      int high = low + 2 * PAIRS * columns;
      for (int column = 0; column < columns; column++) {
        tile[column * PAIRS + pair] = finite(in.getShort(low + 2 * column), first + pair, column) & 0xffff
            | finite(in.getShort(high + 2 * column), first + PAIRS + pair, column) << 16;
      }
    }
  }

  private short finite(short bits, long row, int column) {
    if ((bits & exponent) == exponent) {
      throw new IllegalArgumentException("the weight of row " + row + ", column " + column + " is not finite");
    }
    return bits;
  }
}
