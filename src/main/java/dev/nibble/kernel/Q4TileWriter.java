package dev.nibble.kernel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Tiles of {@link Q4Matrix}, made of Q4_0 blocks eight bytes, that is sixteen nibbles, at a time. */
final class Q4TileWriter extends TileWriter {
  private static final long LOW_NIBBLES = 0x0f0f0f0f0f0f0f0fL;
  private static final int BLOCK_INTS = Q4Matrix.BLOCK_BYTES / Integer.BYTES;
  private static final int SCALE_INTS = Q4Matrix.SCALE_BYTES / Integer.BYTES;
  private static final int ROWS = TiledMatrix.TILE_ROWS;

  private final int blocks;

  Q4TileWriter(int columns) {
    super(NumericFormat.Q4_0, columns);
    blocks = columns / Activations.BLOCK;
  }

  @Override
  void write(byte[] rows, int count, long first) {
    ByteBuffer in = ByteBuffer.wrap(rows).order(ByteOrder.LITTLE_ENDIAN);
    int blockBytes = NumericFormat.Q4_0.blockBytes();
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

  /** The low nibbles of eight bytes, in order. */
  private static int gather(long eight) {
    long nibbles = eight & LOW_NIBBLES;
    nibbles = (nibbles | nibbles >>> 4) & 0x00ff00ff00ff00ffL;
    nibbles = (nibbles | nibbles >>> 8) & 0x0000ffff0000ffffL;
    return (int) (nibbles | nibbles >>> 16);
  }
}
