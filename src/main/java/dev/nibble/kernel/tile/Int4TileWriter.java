package dev.nibble.kernel.tile;

import dev.nibble.tensor.TensorFormat;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Tiles of {@link TileLayout#INT4_SYMMETRIC}, made of Q4_0 blocks eight bytes, that is sixteen nibbles, at a time. */
final class Int4TileWriter extends TileWriter {
  private static final long LOW_NIBBLES = 0x0f0f0f0f0f0f0f0fL;
  private static final int BLOCK_INTS = Int4Tile.BLOCK_BYTES / Integer.BYTES;
  private static final int SCALE_INTS = Int4Tile.SCALE_BYTES / Integer.BYTES;
  private static final int ROWS = TileLayout.ROWS;

  private final int blocks;

  Int4TileWriter(int columns) {
    super(TileLayout.INT4_SYMMETRIC, columns);
    blocks = columns / TileLayout.BLOCK;
  }

  @Override
  public void write(byte[] rows, long first) {
    int[] tile = tile();
    ByteBuffer in = ByteBuffer.wrap(rows).order(ByteOrder.LITTLE_ENDIAN);
    int blockBytes = TensorFormat.Q4_0.blockBytes();
    int rowBytes = blocks * blockBytes;
    for (int block = 0; block < blocks; block++) {
      int to = block * BLOCK_INTS;
      scales(in, block * blockBytes, rowBytes, first, block, to);
      for (int row = 0; row < ROWS; row++) {
        int from = row * rowBytes + block * blockBytes;
        // Byte i of a block holds input i in its low half and input 16 + i in its high half: eight bytes are parts of two groups.
        long lower = in.getLong(from + 2);
        long upper = in.getLong(from + 10);
        int at = to + SCALE_INTS + row;
        tile[at] = gather(lower);
        tile[at + ROWS] = gather(upper);
        tile[at + 2 * ROWS] = gather(lower >>> 4);
        tile[at + 3 * ROWS] = gather(upper >>> 4);
      }
    }
  }

  /** Writes 16 rows' scales, the first one at {@code from} and the others a row apart. */
  private void scales(ByteBuffer in, int from, int rowBytes, long first, int block, int to) {
    for (int pair = 0; pair < ROWS / 2; pair++) {
      short low = finite(in.getShort(from + 2 * pair * rowBytes), first + 2 * pair, block);
      short high = finite(in.getShort(from + (2 * pair + 1) * rowBytes), first + 2 * pair + 1, block);
      tile()[to + pair] = low & 0xffff | high << 16;
    }
  }

  /** The low nibbles of eight bytes, in order. */
  static int gather(long eight) {
    long nibbles = eight & LOW_NIBBLES;
    nibbles = (nibbles | nibbles >>> 4) & 0x00ff00ff00ff00ffL;
    nibbles = (nibbles | nibbles >>> 8) & 0x0000ffff0000ffffL;
    return (int) (nibbles | nibbles >>> 16);
  }
}
