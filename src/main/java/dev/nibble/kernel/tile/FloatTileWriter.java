package dev.nibble.kernel.tile;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Tiles of {@link TileLayout#FLOAT}. */
final class FloatTileWriter extends TileWriter {
  private static final int EXPONENT = 0x7f800000; // all set where a value is not finite

  private final int columns;

  FloatTileWriter(int columns) {
    super(TileLayout.FLOAT, columns);
    this.columns = columns;
  }

  @Override
  public void write(byte[] rows, long first) {
    int[] tile = tile();
    ByteBuffer in = ByteBuffer.wrap(rows).order(ByteOrder.LITTLE_ENDIAN);
    for (int row = 0; row < TileLayout.ROWS; row++) {
      for (int column = 0; column < columns; column++) {
        int bits = in.getInt(4 * (row * columns + column));
        if ((bits & EXPONENT) == EXPONENT) {
          throw new IllegalArgumentException("the weight of row " + (first + row) + ", column " + column + " is not finite");
        }
        tile[TileLayout.ROWS * column + row] = bits;
      }
    }
  }
}
