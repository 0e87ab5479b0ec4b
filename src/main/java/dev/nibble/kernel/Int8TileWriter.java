package dev.nibble.kernel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Tiles of {@link Int8Matrix}, made of Q8_0 or Q6_K blocks eight weights at a time. */
final class Int8TileWriter extends TileWriter {
  private static final int ROWS = TiledMatrix.TILE_ROWS;
  private static final int EIGHTS = Activations.BLOCK / 8; // longs of a block's weights in a row
  private static final int SCALE_INTS = Int8Matrix.SCALE_BYTES / Integer.BYTES;
  private static final int EIGHT_BIT_INTS = Int8Matrix.EIGHT_BIT_BLOCK_BYTES / Integer.BYTES;
  private static final int SIX_BIT_INTS = Int8Matrix.SIX_BIT_BLOCK_BYTES / Integer.BYTES;
  private static final int SIX_BIT_SCALE_INTS = Int8Matrix.SIX_BIT_SCALE_BYTES / Integer.BYTES;
  /** Tile blocks that a block of Q6_K makes. */
  private static final int PARTS = 8;

  private final boolean sixBits;
  private final int columns;

  Int8TileWriter(NumericFormat format, int columns) {
    super(format, columns);
    sixBits = format == NumericFormat.Q6_K;
    this.columns = columns;
  }

  @Override
  void write(byte[] rows, int count, long first) {
    ByteBuffer in = ByteBuffer.wrap(rows).order(ByteOrder.LITTLE_ENDIAN);
    int rowBytes = rows.length / ROWS;
    if (sixBits) {
      for (int block = 0; block < columns / 256; block++) {
        writeSixBits(in, block * NumericFormat.Q6_K.blockBytes(), rowBytes, first, block);
      }
    } else {
      for (int block = 0; block < columns / Activations.BLOCK; block++) {
        writeEightBits(in, block * NumericFormat.Q8_0.blockBytes(), rowBytes, first, block);
      }
    }
  }

  private void writeEightBits(ByteBuffer in, int from, int rowBytes, long first, int block) {
    int to = block * EIGHT_BIT_INTS;
    scales(in, from, rowBytes, first, block, to);
    for (int row = 0; row < ROWS; row++) {
      for (int eight = 0; eight < EIGHTS; eight++) {
        place(in.getLong(from + row * rowBytes + 2 + 8 * eight), to + SCALE_INTS + 2 * ROWS * eight + row);
      }
    }
  }

  /** Q6_K: 128 bytes of low nibbles, 64 of high bit pairs, 16 signed sub-scales, one binary16 scale; halves of 128 weights are interleaved by 32. */
  private void writeSixBits(ByteBuffer in, int from, int rowBytes, long first, int block) {
    for (int part = 0; part < PARTS; part++) {
      int to = (PARTS * block + part) * SIX_BIT_INTS;
      scales(in, from + 208, rowBytes, first, block, to);
      int quarter = part % 4;
      for (int row = 0; row < ROWS; row++) {
        int at = from + row * rowBytes;
        for (int group = 0; group < 2; group++) {
          int sub = to + SCALE_INTS + (ROWS * group + row) / Integer.BYTES;
          int shift = 8 * (row % Integer.BYTES);
          tile[sub] = tile[sub] & ~(0xff << shift) | (in.get(at + 192 + 2 * part + group) & 0xff) << shift;
        }
        int lows = at + 64 * (part / 4) + 32 * (quarter % 2);
        int highs = at + 128 + 32 * (part / 4);
        for (int eight = 0; eight < EIGHTS; eight++) {
          long low = in.getLong(lows + 8 * eight) >>> 4 * (quarter / 2) & 0x0f0f0f0f0f0f0f0fL;
          long high = in.getLong(highs + 8 * eight) >>> 2 * quarter & 0x0303030303030303L;
          place(low | high << 4, to + SIX_BIT_SCALE_INTS + 2 * ROWS * eight + row);
        }
      }
    }
  }

  /** Eight weights: bytes 0, 1, 4 and 5 in one vector, 2, 3, 6 and 7 in the next. */
  private void place(long eight, int to) {
    tile[to] = (int) eight & 0xffff | (int) (eight >>> 32) << 16;
    tile[to + ROWS] = (int) (eight >>> 16) & 0xffff | (int) (eight >>> 48) << 16;
  }
}
