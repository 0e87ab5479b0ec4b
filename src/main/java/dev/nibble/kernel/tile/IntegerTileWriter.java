package dev.nibble.kernel.tile;

import dev.nibble.tensor.IntegerCodec;
import dev.nibble.tensor.IntegerRow;
import dev.nibble.tensor.TensorFormat;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Tiles of {@link TileLayout#INT8_SYMMETRIC} and {@link TileLayout#INT6_FACTORED}, made of rows taken apart, eight weights at a time. */
final class IntegerTileWriter extends TileWriter {
  private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final int ROWS = TileLayout.ROWS;
  private static final int SCALE_INTS = Int8Tile.SCALE_BYTES / Integer.BYTES;
  private static final int FACTORS = TileLayout.BLOCK / IntegerRow.FACTOR_WEIGHTS; // of a block
  private static final long SIX_BIT_OFFSETS = 0x0101010101010101L * Int8Tile.SIX_BIT_OFFSET;
  private static final long HIGH_BITS = 0x8080808080808080L;

  private final TensorFormat format;
  private final IntegerCodec codec;
  private final IntegerRow parts;
  private final int columns;
  private final boolean sixBits;
  private final int blockInts;
  private final int weightInts; // before a block's weights

  IntegerTileWriter(TensorFormat format, TileLayout layout, int columns) {
    super(layout, columns);
    this.format = format;
    this.columns = columns;
    codec = (IntegerCodec) format.codec();
    parts = new IntegerRow(columns);
    sixBits = layout == TileLayout.INT6_FACTORED;
    blockInts = layout.blockBytes() / Integer.BYTES;
    weightInts = (sixBits ? Int8Tile.SIX_BIT_SCALE_BYTES : Int8Tile.SCALE_BYTES) / Integer.BYTES;
  }

  @Override
  public void write(byte[] rows, long first) {
    int rowBytes = rows.length / ROWS;
    for (int row = 0; row < ROWS; row++) {
      for (int column = 0, from = row * rowBytes; column < columns; column += format.blockSize(), from += format.blockBytes()) {
        codec.split(rows, from, parts, column);
      }
      place(row, first + row);
    }
  }

  private void place(int row, long number) {
    int[] tile = tile();
    for (int column = 0, to = 0; column < columns; column += TileLayout.BLOCK, to += blockInts) {
      putShort(tile, 2 * to + row, finite(parts.scales[column / TileLayout.BLOCK], number, column / format.blockSize()));
      if (sixBits) {
        for (int group = 0; group < FACTORS; group++) {
          putByte(tile, Integer.BYTES * (to + SCALE_INTS) + ROWS * group + row, parts.factors[column / IntegerRow.FACTOR_WEIGHTS + group]);
        }
      }
      for (int eight = 0, at = to + weightInts + row; eight < TileLayout.BLOCK; eight += Long.BYTES, at += 2 * ROWS) {
        long weights = (long) LONGS.get(parts.weights, column + eight);
        if (sixBits) {
          // Added byte by byte: high bits are kept out of the sum, so that nothing is carried from one byte to the next.
          weights = (weights & ~HIGH_BITS) + SIX_BIT_OFFSETS ^ weights & HIGH_BITS;
        }
        // Bytes 0, 1, 4 and 5 in one vector, 2, 3, 6 and 7 in the next.
        tile[at] = (int) weights & 0xffff | (int) (weights >>> 32) << 16;
        tile[at + ROWS] = (int) (weights >>> 16) & 0xffff | (int) (weights >>> 48) << 16;
      }
    }
  }

  private static void putShort(int[] tile, int at, short value) {
    int shift = Short.SIZE * (at % 2);
    tile[at / 2] = tile[at / 2] & ~(0xffff << shift) | (value & 0xffff) << shift;
  }

  private static void putByte(int[] tile, int at, byte value) {
    int shift = Byte.SIZE * (at % Integer.BYTES);
    tile[at / Integer.BYTES] = tile[at / Integer.BYTES] & ~(0xff << shift) | (value & 0xff) << shift;
  }
}
