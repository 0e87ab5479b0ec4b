package dev.nibble.kernel.tile;

import dev.nibble.tensor.AffineCodec;
import dev.nibble.tensor.AffineRow;
import dev.nibble.tensor.TensorFormat;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Tiles of {@link TileLayout#INT4_AFFINE}, made of rows taken apart, eight nibbles at a time. */
final class AffineTileWriter extends TileWriter {
  private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final int ROWS = TileLayout.ROWS;
  private static final int BLOCK_INTS = Int4Tile.BLOCK_BYTES / Integer.BYTES;
  private static final int SCALE_INTS = Int4Tile.SCALE_BYTES / Integer.BYTES;
  private static final int MINIMUM_INTS = Int4Tile.MINIMUM_BYTES / Integer.BYTES;

  private final TensorFormat format;
  private final AffineCodec codec;
  private final AffineRow parts; // a block of each row, one after the other
  private final int columns;

  AffineTileWriter(TensorFormat format, int columns) {
    super(TileLayout.INT4_AFFINE, columns);
    this.format = format;
    this.columns = columns;
    if (!(format.codec() instanceof AffineCodec affine)) {
      throw new IllegalArgumentException(format + " has no scale and minimum of its own for each 32 weights");
    }
    codec = affine;
    parts = new AffineRow(ROWS * format.blockSize());
  }

  /** Block by block of all rows: what is read and written lies close together. */
  @Override
  public void write(byte[] rows, long first) {
    int rowBytes = rows.length / ROWS;
    int size = format.blockSize();
    int minimums = columns / TileLayout.BLOCK * BLOCK_INTS;
    for (int column = 0, from = 0; column < columns; column += size, from += format.blockBytes()) {
      for (int row = 0; row < ROWS; row++) {
        codec.split(rows, row * rowBytes + from, parts, row * size);
      }
      for (int part = 0; part < size; part += TileLayout.BLOCK) {
        int block = (column + part) / TileLayout.BLOCK;
        place(parts.scales, "scale", part, block * BLOCK_INTS, first, column / size);
        place(parts.minimums, "minimum", part, minimums + block * MINIMUM_INTS, first, column / size);
        placeNibbles(part, block * BLOCK_INTS + SCALE_INTS);
      }
    }
  }

  private void place(short[] numbers, String what, int part, int to, long first, int block) {
    int step = format.blockSize() / AffineRow.GROUP;
    for (int row = 0, at = part / AffineRow.GROUP; row < ROWS; row += 2, at += 2 * step) {
      tile()[to + row / 2] = finite(numbers[at], what, first + row, block) & 0xffff | finite(numbers[at + step], what, first + row + 1, block) << 16;
    }
  }

  private void placeNibbles(int part, int to) {
    int[] tile = tile();
    int step = format.blockSize();
    for (int eight = part, group = to; eight < part + TileLayout.BLOCK; eight += Long.BYTES, group += ROWS) {
      for (int row = 0, at = eight; row < ROWS; row++, at += step) {
        tile[group + row] = Int4TileWriter.gather((long) LONGS.get(parts.nibbles, at));
      }
    }
  }
}
