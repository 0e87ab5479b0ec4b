package dev.nibble.kernel.tile;

import dev.nibble.tensor.TensorFormat;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Tiles of {@link TileLayout#INT8_SYMMETRIC}, made of Q8_0 blocks, whose bytes are the tile's weights already and need not be taken apart first. */
final class Q80TileWriter extends TileWriter {
  private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle SHORTS = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final int ROWS = TileLayout.ROWS;
  private static final int BLOCK_BYTES = TensorFormat.Q8_0.blockBytes();
  private static final int BLOCK_INTS = Int8Tile.EIGHT_BIT_BLOCK_BYTES / Integer.BYTES;
  private static final int SCALE_INTS = Int8Tile.SCALE_BYTES / Integer.BYTES;

  private final int blocks;

  Q80TileWriter(int columns) {
    super(TileLayout.INT8_SYMMETRIC, columns);
    blocks = columns / TileLayout.BLOCK;
  }

  @Override
  public void write(byte[] rows, long first) {
    int rowBytes = blocks * BLOCK_BYTES;
    for (int block = 0, from = 0, to = 0; block < blocks; block++, from += BLOCK_BYTES, to += BLOCK_INTS) {
      for (int row = 0, at = from; row < ROWS; row += 2, at += 2 * rowBytes) {
        tile()[to + row / 2] = finite((short) SHORTS.get(rows, at), first + row, block) & 0xffff
            | finite((short) SHORTS.get(rows, at + rowBytes), first + row + 1, block) << 16;
      }
      placeWeights(rows, from + Short.BYTES, rowBytes, to + SCALE_INTS);
    }
  }

  /** As {@link IntegerTileWriter} places them. */
  private void placeWeights(byte[] rows, int from, int rowBytes, int to) {
    int[] tile = tile();
    for (int row = 0, at = from; row < ROWS; row++, at += rowBytes) {
      for (int eight = 0, vector = to + row; eight < TileLayout.BLOCK; eight += Long.BYTES, vector += 2 * ROWS) {
        long weights = (long) LONGS.get(rows, at + eight);
        tile[vector] = (int) weights & 0xffff | (int) (weights >>> 32) << 16;
        tile[vector + ROWS] = (int) (weights >>> 16) & 0xffff | (int) (weights >>> 48) << 16;
      }
    }
  }
}
