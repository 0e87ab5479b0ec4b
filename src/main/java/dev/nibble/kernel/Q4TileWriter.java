package dev.nibble.kernel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Tiles of {@link Q4Matrix}, made of Q4_0 blocks eight bytes, that is sixteen nibbles, at a time. */
final class Q4TileWriter extends TileWriter {
  private static final long LOW_NIBBLES = 0x0f0f0f0f0f0f0f0fL;
  private static final int BLOCK_INTS = Q4Matrix.BLOCK_BYTES / Integer.BYTES;
  private static final int ROWS = TiledMatrix.TILE_ROWS;
  /** Ints of a vector of 16 shorts; int i is lane 2i (row i, low half) and lane 2i + 1 (row 8 + i). */
  private static final int PAIRS = ROWS / 2;

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
      for (int pair = 0; pair < PAIRS; pair++) {
        int low = pair * rowBytes + block * blockBytes;
        int high = low + PAIRS * rowBytes;
        int to = block * BLOCK_INTS + pair;
        tile[to] = scales(in.getShort(low), in.getShort(high), first + pair, block);
        nibbles(in.getLong(low + 2), in.getLong(high + 2), to + PAIRS);
        nibbles(in.getLong(low + 10), in.getLong(high + 10), to + 3 * PAIRS);
      }
    }
  }

  private static int scales(short low, short high, long row, int block) {
    Half.finite(low, row, block);
    Half.finite(high, row + PAIRS, block);
    return low & 0xffff | high << 16;
  }

  /** Byte i of a block holds input i in its low half and input 16 + i in its high half, so eight bytes are parts of four vectors. */
  private void nibbles(long low, long high, int to) {
    long first = gather(low) | gather(high) << 16;
    long second = gather(low >>> 4) | gather(high >>> 4) << 16;
    tile[to] = (int) first;
    tile[to + PAIRS] = (int) (first >>> 32);
    tile[to + 4 * PAIRS] = (int) second;
    tile[to + 5 * PAIRS] = (int) (second >>> 32);
  }

  /** The low nibbles of eight bytes: the first four in bits 0 to 15, the others in bits 32 to 47. */
  private static long gather(long eight) {
    long nibbles = eight & LOW_NIBBLES;
    nibbles = (nibbles | nibbles >>> 4) & 0x00ff00ff00ff00ffL;
    return (nibbles | nibbles >>> 8) & 0x0000ffff0000ffffL;
  }
}
