package dev.nibble.kernel.tile;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Tiles of {@link TileLayout#HALF} and {@link TileLayout#BFLOAT}. */
final class HalfTileWriter extends TileWriter {
  private static final int PAIRS = TileLayout.ROWS / 2;

  private final int columns;
  private final int exponent; // the bits that are all set where a value is not finite

  HalfTileWriter(TileLayout layout, int columns) {
    super(layout, columns);
    this.columns = columns;
    exponent = layout == TileLayout.HALF ? 0x7c00 : 0x7f80;
  }

  @Override
  public void write(byte[] rows, long first) {
    int[] tile = tile();
    ByteBuffer in = ByteBuffer.wrap(rows).order(ByteOrder.LITTLE_ENDIAN);
    for (int pair = 0; pair < PAIRS; pair++) {
      int low = 2 * pair * columns;
      int high = low + 2 * PAIRS * columns;
      for (int column = 0; column < columns; column++) {
        tile[column * PAIRS + pair] = weight(in.getShort(low + 2 * column), first + pair, column) & 0xffff
            | weight(in.getShort(high + 2 * column), first + PAIRS + pair, column) << 16;
      }
    }
  }

  private short weight(short bits, long row, int column) {
    if ((bits & exponent) == exponent) {
      throw new IllegalArgumentException("the weight of row " + row + ", column " + column + " is not finite");
    }
    return bits;
  }
}
