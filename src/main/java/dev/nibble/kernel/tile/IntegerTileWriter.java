package dev.nibble.kernel.tile;

import dev.nibble.tensor.IntegerCodec;
import dev.nibble.tensor.IntegerRow;
import dev.nibble.tensor.TensorFormat;
import dev.nibble.tensor.UnrepresentableWeightException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Tiles of {@link TileLayout#INT8_SYMMETRIC} and {@link TileLayout#INT6_FACTORED}, made of rows taken apart, eight weights at a time. */
final class IntegerTileWriter extends TileWriter {
  private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final int ROWS = TileLayout.ROWS;
  private static final int SCALE_INTS = Int8Tile.SCALE_BYTES / Integer.BYTES;
  private static final long SIX_BIT_OFFSETS = 0x0101010101010101L * Int8Tile.SIX_BIT_OFFSET;
  private static final long HIGH_BITS = 0x8080808080808080L;

  private final TensorFormat format;
  private final IntegerCodec codec;
  private final IntegerRow parts; // a block of each row, one after the other
  private final int columns;
  private final boolean sixBits;
  private final int blockInts;
  private final int weightInts; // before a block's weights

  IntegerTileWriter(TensorFormat format, TileLayout layout, int columns) {
    super(layout, columns);
    this.format = format;
    this.columns = columns;
    codec = RoundingCodec.of(format);
    parts = new IntegerRow(ROWS * format.blockSize());
    sixBits = layout == TileLayout.INT6_FACTORED;
    blockInts = layout.blockBytes() / Integer.BYTES;
    weightInts = (sixBits ? Int8Tile.SIX_BIT_SCALE_BYTES : Int8Tile.SCALE_BYTES) / Integer.BYTES;
  }

  /** Block by block of all rows: what is read and written lies close together. */
  @Override
  public void write(byte[] rows, long first) {
    int rowBytes = rows.length / ROWS;
    int size = format.blockSize();
    for (int column = 0, from = 0; column < columns; column += size, from += format.blockBytes()) {
      for (int row = 0; row < ROWS; row++) {
        try {
          codec.split(rows, row * rowBytes + from, parts, row * size);
        } catch (UnrepresentableWeightException e) {
          throw new IllegalArgumentException("the weight of row " + (first + row) + ", column " + (column + e.index()) + ": " + e.reason(), e);
        }
      }
      for (int part = 0; part < size; part += TileLayout.BLOCK) {
        int to = (column + part) / TileLayout.BLOCK * blockInts;
        placeScales(part, to, first, column / size);
        if (sixBits) {
          placeFactors(part, to + SCALE_INTS);
        }
        placeWeights(part, to + weightInts);
      }
    }
  }

  private void placeScales(int part, int to, long first, int block) {
    int step = format.blockSize() / IntegerRow.SCALE_WEIGHTS;
    for (int row = 0, at = part / IntegerRow.SCALE_WEIGHTS; row < ROWS; row += 2, at += 2 * step) {
      tile()[to + row / 2] = finite(parts.scales[at], first + row, block) & 0xffff | finite(parts.scales[at + step], first + row + 1, block) << 16;
    }
  }

  private void placeFactors(int part, int to) {
    int step = format.blockSize() / IntegerRow.FACTOR_WEIGHTS;
    for (int group = 0; group < TileLayout.BLOCK / IntegerRow.FACTOR_WEIGHTS; group++) {
      for (int row = 0, at = part / IntegerRow.FACTOR_WEIGHTS + group; row < ROWS; row += Integer.BYTES, at += Integer.BYTES * step) {
        tile()[to + (ROWS * group + row) / Integer.BYTES] = parts.factors[at] & 0xff | (parts.factors[at + step] & 0xff) << 8
            | (parts.factors[at + 2 * step] & 0xff) << 16 | parts.factors[at + 3 * step] << 24;
      }
    }
  }

  /** Of eight weights of a row, bytes 0, 1, 4 and 5 go to one vector, 2, 3, 6 and 7 to the next. */
  private void placeWeights(int part, int to) {
    int[] tile = tile();
    byte[] from = parts.weights;
    int step = format.blockSize();
    for (int eight = part, vector = to; eight < part + TileLayout.BLOCK; eight += Long.BYTES, vector += 2 * ROWS) {
      for (int row = 0, at = eight; row < ROWS; row++, at += step) {
        long weights = (long) LONGS.get(from, at);
        if (sixBits) {
          // Added byte by byte: high bits are kept out of the sum, so that nothing is carried from one byte to the next.
          weights = (weights & ~HIGH_BITS) + SIX_BIT_OFFSETS ^ weights & HIGH_BITS;
        }
        tile[vector + row] = (int) weights & 0xffff | (int) (weights >>> 32) << 16;
        tile[vector + ROWS + row] = (int) (weights >>> 16) & 0xffff | (int) (weights >>> 48) << 16;
      }
    }
  }
}
