package dev.nibble.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * INT8 weights (Q8_0, and Q6_K, whose 6-bit weights are widened). A tile block is 16 rows × 32 inputs: 16 float scales for each group of
 * inputs (one of 32 for Q8_0, two of 16 for Q6_K), rows in order, then 16 vectors of 16 shorts; the bytes of short j of a lane are inputs 2j
 * (low) and 2j + 1. Lanes as in {@link Q4Matrix}. 9 bits a weight for Q8_0, 10 for Q6_K.
 */
public final class Int8Matrix implements TiledMatrix {
  /** Bytes of 16 scales. */
  static final int SCALE_BYTES = 64;
  /** Vectors of weights in a block. */
  static final int VECTORS = 16;

  private final NumericFormat format;
  private final int rows;
  private final int columns;
  private final int blocks;
  private final int groups;
  private final MemorySegment data;

  private Int8Matrix(NumericFormat format, int rows, int columns, int groups, MemorySegment data) {
    this.format = format;
    this.rows = rows;
    this.columns = columns;
    this.blocks = columns / Activations.BLOCK;
    this.groups = groups;
    this.data = data;
  }

  private static int blockBytes(int groups) {
    return groups * SCALE_BYTES + VECTORS * 32;
  }

  /** Arranges rows of Q8_0 or Q6_K blocks as tiles. @throws IllegalArgumentException for a scale that is not finite */
  static Int8Matrix pack(NumericFormat format, MemorySegment source, int rows, int columns, Arena arena, WorkerPool pool) {
    boolean sixBits = format == NumericFormat.Q6_K;
    int groups = sixBits ? 2 : 1;
    int blocks = columns / Activations.BLOCK;
    int tiles = TiledMatrix.padded(rows) / TILE_ROWS;
    int tileBytes = blocks * blockBytes(groups);
    MemorySegment target = arena.allocate((long) tiles * tileBytes, 64);
    int rowBytes = Math.toIntExact(format.bytes(columns));
    pool.run(tiles, 1, (worker, from, to) -> {
      byte[] row = new byte[rowBytes];
      byte[] weights = new byte[columns];
      float[] scales = new float[blocks * groups];
      short[] tile = new short[tileBytes / 2];
      for (int t = from; t < to; t++) {
        Arrays.fill(tile, (short) 0);
        for (int r = 0; r < TILE_ROWS && t * TILE_ROWS + r < rows; r++) {
          long rowNumber = (long) t * TILE_ROWS + r;
          MemorySegment.copy(source, ValueLayout.JAVA_BYTE, rowNumber * rowBytes, row, 0, rowBytes);
          if (sixBits) {
            unpackSixBits(row, columns, weights, scales, rowNumber);
          } else {
            unpackEightBits(row, blocks, weights, scales, rowNumber);
          }
          place(weights, scales, blocks, groups, tile, r);
        }
        TiledMatrix.store(tile, target, (long) t * tileBytes);
      }
    });
    return new Int8Matrix(format, rows, columns, groups, target);
  }

  private static void unpackEightBits(byte[] row, int blocks, byte[] weights, float[] scales, long rowNumber) {
    for (int b = 0; b < blocks; b++) {
      int at = b * 34;
      scales[b] = Half.toFloat(Half.finite((short) (row[at] & 0xff | row[at + 1] << 8), rowNumber, b));
      System.arraycopy(row, at + 2, weights, 32 * b, 32);
    }
  }

  /** Q6_K: 128 bytes of low nibbles, 64 of high bit pairs, 16 signed sub-scales, one binary16 scale; halves of 128 weights are interleaved by 32. */
  private static void unpackSixBits(byte[] row, int columns, byte[] weights, float[] scales, long rowNumber) {
    for (int b = 0; b < columns / 256; b++) {
      int at = b * 210;
      float scale = Half.toFloat(Half.finite((short) (row[at + 208] & 0xff | row[at + 209] << 8), rowNumber, b));
      for (int s = 0; s < 16; s++) {
        scales[16 * b + s] = scale * row[at + 192 + s];
      }
      for (int i = 0; i < 256; i++) {
        int half = i / 128;
        int quarter = i % 128 / 32;
        int low = row[at + 64 * half + 32 * (quarter % 2) + i % 32] >>> 4 * (quarter / 2) & 15;
        int high = row[at + 128 + 32 * half + i % 32] >>> 2 * quarter & 3;
        weights[256 * b + i] = (byte) ((low | high << 4) - 32);
      }
    }
  }

  private static void place(byte[] weights, float[] scales, int blocks, int groups, short[] tile, int row) {
    int lane = Q4Matrix.lane(row);
    int blockShorts = blockBytes(groups) / 2;
    for (int b = 0; b < blocks; b++) {
      int at = b * blockShorts;
      for (int g = 0; g < groups; g++) {
        int bits = Float.floatToRawIntBits(scales[b * groups + g]);
        tile[at + 32 * g + 2 * row] = (short) bits;
        tile[at + 32 * g + 2 * row + 1] = (short) (bits >>> 16);
      }
      at += 32 * groups + lane;
      for (int j = 0; j < VECTORS; j++) {
        tile[at + 16 * j] = (short) (weights[32 * b + 2 * j] & 0xff | weights[32 * b + 2 * j + 1] << 8);
      }
    }
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
    short[] tile = tile(row / TILE_ROWS);
    for (int i = 0; i < columns; i++) {
      out[offset + i] = scale(tile, row % TILE_ROWS, i) * weight(tile, row % TILE_ROWS, i);
    }
  }

  private short[] tile(int number) {
    short[] tile = new short[blocks * blockBytes(groups) / 2];
    MemorySegment.copy(data, ValueLayout.JAVA_SHORT, 2L * number * tile.length, tile, 0, tile.length);
    return tile;
  }

  private float scale(short[] tile, int row, int input) {
    int at = input / 32 * (blockBytes(groups) / 2) + 32 * (input % 32 * groups / 32) + 2 * row;
    return Float.intBitsToFloat(tile[at] & 0xffff | tile[at + 1] << 16);
  }

  private int weight(short[] tile, int row, int input) {
    int at = input / 32 * (blockBytes(groups) / 2) + 32 * groups + 16 * (input % 32 / 2) + Q4Matrix.lane(row);
    return (byte) (tile[at] >>> 8 * (input % 2));
  }

  @Override
  public void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelMode mode, KernelScratch scratch) {
    TiledMatrix.check(this, x, tokens, out, stride, from, to);
    long tileBytes = (long) blocks * blockBytes(groups);
    for (int tile = from; tile < to; tile++) {
      switch (mode) {
        case SCALAR, VECTOR_128 -> multiplyScalar(tile, x, tokens, out, stride);
        case VECTOR_256 -> {
          int token = 0;
          for (; token + 1 < tokens; token += 2) {
            Int8Kernel.multiply(data, tile * tileBytes, blocks, groups, x.quants, token * x.stride(), (token + 1) * x.stride(), x.scales,
                token * blocks, (token + 1) * blocks, out, token * stride + tile * TILE_ROWS, (token + 1) * stride + tile * TILE_ROWS);
          }
          if (token < tokens) {
            Int8Kernel.multiply(data, tile * tileBytes, blocks, groups, x.quants, token * x.stride(), x.scales, token * blocks, out,
                token * stride + tile * TILE_ROWS);
          }
        }
      }
    }
  }

  private void multiplyScalar(int number, Activations x, int tokens, float[] out, int stride) {
    short[] tile = tile(number);
    int group = 32 / groups;
    for (int token = 0; token < tokens; token++) {
      for (int row = 0; row < TILE_ROWS; row++) {
        float sum = 0;
        for (int from = 0; from < columns; from += group) {
          int products = 0;
          for (int i = from; i < from + group; i++) {
            products += weight(tile, row, i) * x.quants[token * x.stride() + i];
          }
          sum = Math.fma((float) products, scale(tile, row, from) * x.scales[token * blocks + from / 32], sum);
        }
        out[token * stride + number * TILE_ROWS + row] = sum;
      }
    }
  }
}
