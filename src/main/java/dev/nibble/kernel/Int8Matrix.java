package dev.nibble.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

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

  Int8Matrix(NumericFormat format, int rows, int columns, MemorySegment data) {
    this.format = format;
    this.rows = rows;
    this.columns = columns;
    this.blocks = columns / Activations.BLOCK;
    this.groups = groups(format);
    this.data = data;
  }

  /** Scales that a row has in a block. */
  static int groups(NumericFormat format) {
    return format == NumericFormat.Q6_K ? 2 : 1;
  }

  static int blockBytes(int groups) {
    return groups * SCALE_BYTES + VECTORS * 32;
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
  public MemorySegment segment() {
    return data;
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
