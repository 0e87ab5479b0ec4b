package dev.nibble.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * INT8 weights (Q8_0, and Q6_K, whose 6-bit weights are kept in bytes). A tile block is 16 rows × 32 inputs: the rows' FP16 scales, for Q6_K 16 signed bytes
 * of sub-scales for each group of 16 inputs, then for each half of a group of 8 inputs 16 ints, one for each row. The low short of an int holds inputs
 * 2h and 2h + 1 of the group (half h is 0 or 1), the high one inputs 4 + 2h and 5 + 2h, the first in its low byte. Bytes of Q8_0 are signed, those of Q6_K
 * are weight + 32. 8.5 bits a weight for Q8_0, 9 for Q6_K.
 */
public final class Int8Matrix implements TiledMatrix {
  /** Bytes of 16 scales. */
  static final int SCALE_BYTES = 32;
  /** Bytes of 16 scales and, for two groups, 16 sub-scales. */
  static final int SIX_BIT_SCALE_BYTES = SCALE_BYTES + 32;
  /** Bytes of 16 rows × 4 inputs. */
  static final int VECTOR_BYTES = 64;
  /** Of these, how many make 16 inputs. */
  static final int GROUP_VECTORS = 4;
  /** Bytes of 16 rows × 16 inputs. */
  static final int GROUP_BYTES = GROUP_VECTORS * VECTOR_BYTES;
  static final int EIGHT_BIT_BLOCK_BYTES = SCALE_BYTES + 2 * GROUP_BYTES;
  static final int SIX_BIT_BLOCK_BYTES = SIX_BIT_SCALE_BYTES + 2 * GROUP_BYTES;

  private final NumericFormat format;
  private final int rows;
  private final int columns;
  private final int blocks;
  private final boolean sixBits;
  private final MemorySegment data;
  private byte[] rowTile; // of row(), from its first call on

  private Int8Matrix(NumericFormat format, int rows, int columns, MemorySegment data) {
    this.format = format;
    this.rows = rows;
    this.columns = columns;
    this.blocks = columns / Activations.BLOCK;
    sixBits = format == NumericFormat.Q6_K;
    this.data = data;
  }

  private static int blockBytes(boolean sixBits) {
    return sixBits ? SIX_BIT_BLOCK_BYTES : EIGHT_BIT_BLOCK_BYTES;
  }

  /** Arranges rows of Q8_0 or Q6_K blocks as tiles. @throws IllegalArgumentException for a scale that is not finite */
  static Int8Matrix pack(NumericFormat format, MemorySegment source, int rows, int columns, Arena arena, WorkerPool pool) {
    boolean sixBits = format == NumericFormat.Q6_K;
    int blocks = columns / Activations.BLOCK;
    int tiles = TiledMatrix.padded(rows) / TILE_ROWS;
    int tileBytes = blocks * blockBytes(sixBits);
    MemorySegment target = arena.allocate((long) tiles * tileBytes, 64);
    int rowBytes = Math.toIntExact(format.bytes(columns));
    pool.run(tiles, 1, (worker, from, to) -> {
      byte[] row = new byte[rowBytes];
      byte[] tile = new byte[tileBytes];
      for (int t = from; t < to; t++) {
        Arrays.fill(tile, (byte) 0);
        for (int r = 0; r < TILE_ROWS && t * TILE_ROWS + r < rows; r++) {
          long rowNumber = (long) t * TILE_ROWS + r;
          MemorySegment.copy(source, ValueLayout.JAVA_BYTE, rowNumber * rowBytes, row, 0, rowBytes);
          if (sixBits) {
            packSixBits(row, columns, tile, r, rowNumber);
          } else {
            packEightBits(row, blocks, tile, r, rowNumber);
          }
        }
        MemorySegment.copy(tile, 0, target, ValueLayout.JAVA_BYTE, (long) t * tileBytes, tileBytes);
      }
    });
    return new Int8Matrix(format, rows, columns, target);
  }

  private static void packEightBits(byte[] row, int blocks, byte[] tile, int r, long rowNumber) {
    for (int b = 0; b < blocks; b++) {
      int from = b * 34;
      int to = b * EIGHT_BIT_BLOCK_BYTES;
      scale(row, from, tile, to + 2 * r, rowNumber, b);
      for (int i = 0; i < Activations.BLOCK; i++) {
        tile[to + SCALE_BYTES + byteOf(r, i)] = row[from + 2 + i];
      }
    }
  }

  /** Q6_K: 128 bytes of low nibbles, 64 of high bit pairs, 16 signed sub-scales, one binary16 scale; halves of 128 weights are interleaved by 32. */
  private static void packSixBits(byte[] row, int columns, byte[] tile, int r, long rowNumber) {
    for (int b = 0; b < columns / 256; b++) {
      int from = b * 210;
      for (int part = 0; part < 8; part++) {
        int to = (8 * b + part) * SIX_BIT_BLOCK_BYTES;
        scale(row, from + 208, tile, to + 2 * r, rowNumber, b);
        tile[to + SCALE_BYTES + r] = row[from + 192 + 2 * part];
        tile[to + SCALE_BYTES + TILE_ROWS + r] = row[from + 193 + 2 * part];
        int quarter = part % 4;
        int lows = from + 64 * (part / 4) + 32 * (quarter % 2);
        int highs = from + 128 + 32 * (part / 4);
        for (int i = 0; i < Activations.BLOCK; i++) {
          int low = row[lows + i] >>> 4 * (quarter / 2) & 15;
          int high = row[highs + i] >>> 2 * quarter & 3;
          tile[to + SIX_BIT_SCALE_BYTES + byteOf(r, i)] = (byte) (low | high << 4);
        }
      }
    }
  }

  private static void scale(byte[] row, int from, byte[] tile, int to, long rowNumber, int block) {
    Half.finite((short) (row[from] & 0xff | row[from + 1] << 8), rowNumber, block);
    tile[to] = row[from];
    tile[to + 1] = row[from + 1];
  }

  /** Which byte after the scales holds an input of a row. */
  private static int byteOf(int row, int input) {
    return (2 * (input / 8) + input % 4 / 2) * VECTOR_BYTES + 4 * row + 2 * (input % 8 / 4) + input % 2;
  }

  @Override
  public int rows() {
    return rows;
  }

  @Override
  public int columns() {
    return columns;
  }

  @Override
  public NumericFormat format() {
    return format;
  }

  @Override
  public long bytes() {
    return data.byteSize();
  }

  @Override
  public boolean integer() {
    return true;
  }

  @Override
  public void row(int row, float[] out, int offset) {
    rowTile = rowTile == null ? new byte[blocks * blockBytes(sixBits)] : rowTile;
    byte[] tile = rowTile;
    MemorySegment.copy(data, ValueLayout.JAVA_BYTE, (long) (row / TILE_ROWS) * tile.length, tile, 0, tile.length);
    for (int i = 0; i < columns; i++) {
      out[offset + i] = scale(tile, row % TILE_ROWS, i) * weight(tile, row % TILE_ROWS, i);
    }
  }

  private byte[] tile(int number) {
    byte[] tile = new byte[blocks * blockBytes(sixBits)];
    MemorySegment.copy(data, ValueLayout.JAVA_BYTE, (long) number * tile.length, tile, 0, tile.length);
    return tile;
  }

  private float scale(byte[] tile, int row, int input) {
    int at = input / Activations.BLOCK * blockBytes(sixBits);
    float scale = Half.toFloat((short) (tile[at + 2 * row] & 0xff | tile[at + 2 * row + 1] << 8));
    return sixBits ? scale * tile[at + SCALE_BYTES + TILE_ROWS * (input % Activations.BLOCK / 16) + row] : scale;
  }

  private int weight(byte[] tile, int row, int input) {
    int at = input / Activations.BLOCK * blockBytes(sixBits) + (sixBits ? SIX_BIT_SCALE_BYTES : SCALE_BYTES) + byteOf(row, input % Activations.BLOCK);
    return sixBits ? tile[at] - 32 : tile[at];
  }

  @Override
  public void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelMode mode) {
    TiledMatrix.check(this, x, tokens, out, stride, from, to);
    for (int tile = from; tile < to; tile++) {
      switch (mode) {
        case SCALAR -> multiplyScalar(tile, x, tokens, out, stride);
        case VECTOR_256 -> multiply256(tile, x, tokens, out, stride);
        case VECTOR_128 -> multiply128(tile, x, tokens, out, stride);
      }
    }
  }

  private void multiply256(int tile, Activations x, int tokens, float[] out, int stride) {
    long at = (long) tile * blocks * blockBytes(sixBits);
    int outAt = tile * TILE_ROWS;
    int pairs = blocks * Activations.PAIRS;
    int token = 0;
    for (; token + 1 < tokens; token += 2) {
      int other = token + 1;
      if (sixBits) {
        Int8Kernel256.sixTwo(data, at, blocks, x.pairs, token * pairs, other * pairs, x.scales, x.sixBitOffsets, token * blocks, other * blocks, out,
            token * stride + outAt, other * stride + outAt);
      } else {
        Int8Kernel256.eightTwo(data, at, blocks, x.pairs, token * pairs, other * pairs, x.scales, token * blocks, other * blocks, out,
            token * stride + outAt, other * stride + outAt);
      }
    }
    if (token < tokens) {
      if (sixBits) {
        Int8Kernel256.six(data, at, blocks, x.pairs, token * pairs, x.scales, x.sixBitOffsets, token * blocks, out, token * stride + outAt);
      } else {
        Int8Kernel256.eight(data, at, blocks, x.pairs, token * pairs, x.scales, token * blocks, out, token * stride + outAt);
      }
    }
  }

  private void multiply128(int tile, Activations x, int tokens, float[] out, int stride) {
    long at = (long) tile * blocks * blockBytes(sixBits);
    int outAt = tile * TILE_ROWS;
    int pairs = blocks * Activations.PAIRS;
    for (int row = 0; row < TILE_ROWS; row += TILE_ROWS / 2) {
      int token = 0;
      for (; token + 1 < tokens; token += 2) {
        int other = token + 1;
        if (sixBits) {
          Int8Kernel128.sixTwo(data, at, blocks, x.pairs, token * pairs, other * pairs, x.scales, x.sixBitOffsets, token * blocks, other * blocks, out,
              token * stride + outAt, other * stride + outAt, row);
        } else {
          Int8Kernel128.eightTwo(data, at, blocks, x.pairs, token * pairs, other * pairs, x.scales, token * blocks, other * blocks, out,
              token * stride + outAt, other * stride + outAt, row);
        }
      }
      if (token < tokens) {
        if (sixBits) {
          Int8Kernel128.six(data, at, blocks, x.pairs, token * pairs, x.scales, x.sixBitOffsets, token * blocks, out, token * stride + outAt, row);
        } else {
          Int8Kernel128.eight(data, at, blocks, x.pairs, token * pairs, x.scales, token * blocks, out, token * stride + outAt, row);
        }
      }
    }
  }

  private void multiplyScalar(int number, Activations x, int tokens, float[] out, int stride) {
    byte[] tile = tile(number);
    int group = sixBits ? 16 : Activations.BLOCK;
    for (int token = 0; token < tokens; token++) {
      for (int row = 0; row < TILE_ROWS; row++) {
        float sum = 0;
        for (int from = 0; from < columns; from += group) {
          int products = 0;
          for (int i = from; i < from + group; i++) {
            products += weight(tile, row, i) * x.quants[Activations.FRONT + token * x.stride() + i];
          }
          sum = Math.fma((float) products, scale(tile, row, from) * x.scales[token * blocks + from / Activations.BLOCK], sum);
        }
        out[token * stride + number * TILE_ROWS + row] = sum;
      }
    }
  }
}
