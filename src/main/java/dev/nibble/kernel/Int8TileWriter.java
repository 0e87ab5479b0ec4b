package dev.nibble.kernel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Tiles of {@link Int8Matrix}, made of Q8_0 or Q6_K blocks eight weights at a time. */
final class Int8TileWriter extends TileWriter {
  private static final int ROWS = TiledMatrix.TILE_ROWS;
  private static final int PAIRS = ROWS / 2;
  private static final int EIGHTS = Activations.BLOCK / 8; // longs of a block's weights in a row

  private final NumericFormat format;
  private final int columns;
  private final int blocks;
  private final int groups;
  private final long[] weights; // [16][columns / 8], int8
  private final float[] scales; // [16][blocks × groups]

  Int8TileWriter(NumericFormat format, int columns) {
    super(format, columns);
    this.format = format;
    this.columns = columns;
    blocks = columns / Activations.BLOCK;
    groups = Int8Matrix.groups(format);
    weights = new long[ROWS * columns / 8];
    scales = new float[ROWS * blocks * groups];
  }

  @Override
  void write(byte[] rows, int count, long first) {
    ByteBuffer in = ByteBuffer.wrap(rows).order(ByteOrder.LITTLE_ENDIAN);
    int rowBytes = rows.length / ROWS;
    // Zeros are no zero weights in Q6_K, which stores a weight plus 32.
    Arrays.fill(weights, count * columns / 8, weights.length, 0);
    Arrays.fill(scales, count * blocks * groups, scales.length, 0);
    for (int row = 0; row < count; row++) {
      if (format == NumericFormat.Q6_K) {
        unpackSixBits(in, row * rowBytes, row, first + row);
      } else {
        unpackEightBits(in, row * rowBytes, row, first + row);
      }
    }
    int blockInts = Int8Matrix.blockBytes(groups) / Integer.BYTES;
    for (int block = 0; block < blocks; block++) {
      int at = block * blockInts;
      for (int group = 0; group < groups; group++) {
        for (int row = 0; row < ROWS; row++) {
          tile[at + row] = Float.floatToRawIntBits(scales[(row * blocks + block) * groups + group]);
        }
        at += ROWS;
      }
      for (int pair = 0; pair < PAIRS; pair++) {
        for (int eight = 0; eight < EIGHTS; eight++) {
          int from = pair * columns / 8 + block * EIGHTS + eight;
          interleave(weights[from], weights[from + PAIRS * columns / 8], at + 4 * PAIRS * eight + pair);
        }
      }
    }
  }

  /** Four shorts of a row and of the one eight rows below become neighbours in four vectors. */
  private void interleave(long low, long high, int to) {
    tile[to] = (int) (low & 0xffff) | (int) high << 16;
    tile[to + PAIRS] = (int) (low >>> 16 & 0xffff) | (int) (high & 0xffff0000L);
    tile[to + 2 * PAIRS] = (int) (low >>> 32 & 0xffff) | (int) (high >>> 32) << 16;
    tile[to + 3 * PAIRS] = (int) (low >>> 48) | (int) (high >>> 32) & 0xffff0000;
  }

  private void unpackEightBits(ByteBuffer in, int from, int row, long number) {
    int blockBytes = NumericFormat.Q8_0.blockBytes();
    for (int block = 0; block < blocks; block++) {
      int at = from + block * blockBytes;
      scales[row * blocks + block] = Half.toFloat(Half.finite(in.getShort(at), number, block));
      int to = row * columns / 8 + block * EIGHTS;
      for (int eight = 0; eight < EIGHTS; eight++) {
        weights[to + eight] = in.getLong(at + 2 + 8 * eight);
      }
    }
  }

  /** Q6_K: 128 bytes of low nibbles, 64 of high bit pairs, 16 signed sub-scales, one binary16 scale; halves of 128 weights are interleaved by 32. */
  private void unpackSixBits(ByteBuffer in, int from, int row, long number) {
    for (int block = 0; block < columns / 256; block++) {
      int at = from + block * NumericFormat.Q6_K.blockBytes();
      float scale = Half.toFloat(Half.finite(in.getShort(at + 208), number, block));
      for (int s = 0; s < 16; s++) {
        scales[row * blocks * groups + 16 * block + s] = scale * in.get(at + 192 + s);
      }
      int to = row * columns / 8 + 32 * block;
      for (int eight = 0; eight < 32; eight++) {
        int half = eight / 16;
        int quarter = eight / 4 % 4;
        int within = 8 * (eight % 4);
        long low = in.getLong(at + 64 * half + 32 * (quarter % 2) + within) >>> 4 * (quarter / 2) & 0x0f0f0f0f0f0f0f0fL;
        long high = in.getLong(at + 128 + 32 * half + within) >>> 2 * quarter & 0x0303030303030303L;
        // Minus 32 in each byte: with its highest bit set a byte lends nothing to its neighbour, and that bit is put right afterwards.
        weights[to + eight] = (low | high << 4 | 0x8080808080808080L) - 0x2020202020202020L ^ 0x8080808080808080L;
      }
    }
  }
}
