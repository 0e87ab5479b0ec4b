package dev.nibble.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

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

  Int8Matrix(NumericFormat format, int rows, int columns, MemorySegment data) {
    this.format = format;
    this.rows = rows;
    this.columns = columns;
    this.blocks = columns / Activations.BLOCK;
    sixBits = format == NumericFormat.Q6_K;
    this.data = data;
  }

  static int blockBytes(boolean sixBits) {
    return sixBits ? SIX_BIT_BLOCK_BYTES : EIGHT_BIT_BLOCK_BYTES;
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
  public MemorySegment segment() {
    return data;
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
  public void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelMode mode, Panel panel) {
    TiledMatrix.check(this, x, tokens, out, stride, from, to);
    switch (mode) {
      case SCALAR -> {
        for (int tile = from; tile < to; tile++) {
          multiplyScalar(tile, x, tokens, out, stride);
        }
      }
      case VECTOR_512, VECTOR_256 -> {
        for (int tile = from; tile < to; tile += 2) {
          multiply256(x, tokens, out, stride, tile, to);
        }
      }
      case VECTOR_128 -> {
        for (int tile = from; tile < to; tile += 2) {
          multiply128(x, tokens, out, stride, tile, to);
        }
      }
    }
  }

  /** Two tiles, or the last one: two tokens at a time tile by tile, an odd last one with both tiles at once. */
  private void multiply256(Activations x, int tokens, float[] out, int stride, int first, int to) {
    long tileBytes = (long) blocks * blockBytes(sixBits);
    int pairs = blocks * Activations.PAIRS;
    int even = tokens & -2;
    int last = Math.min(first + 1, to - 1);
    for (int tile = first; tile <= last; tile++) {
      long at = tile * tileBytes;
      for (int token = 0; token < even; token += 2) {
        int other = token + 1;
        int outA = token * stride + tile * TILE_ROWS;
        int outB = outA + stride;
        if (sixBits) {
          Int8Kernel256.sixTwo(data, at, blocks, x.pairs, token * pairs, other * pairs, x.scales, x.sixBitOffsets, token * blocks, other * blocks, out, outA, outB);
        } else {
          Int8Kernel256.eightTwo(data, at, blocks, x.pairs, token * pairs, other * pairs, x.scales, token * blocks, other * blocks, out, outA, outB);
        }
      }
    }
    if (even < tokens) {
      int outA = even * stride + first * TILE_ROWS;
      int outB = even * stride + last * TILE_ROWS;
      if (sixBits) {
        Int8Kernel256.six(data, first * tileBytes, last * tileBytes, blocks, x.pairs, even * pairs, x.scales, x.sixBitOffsets, even * blocks, out, outA, outB);
      } else {
        Int8Kernel256.eight(data, first * tileBytes, last * tileBytes, blocks, x.pairs, even * pairs, x.scales, even * blocks, out, outA, outB);
      }
    }
  }

  private void multiply128(Activations x, int tokens, float[] out, int stride, int first, int to) {
    long tileBytes = (long) blocks * blockBytes(sixBits);
    int pairs = blocks * Activations.PAIRS;
    int even = tokens & -2;
    int last = Math.min(first + 1, to - 1);
    for (int row = 0; row < TILE_ROWS; row += TILE_ROWS / 2) {
      for (int tile = first; tile <= last; tile++) {
        long at = tile * tileBytes;
        for (int token = 0; token < even; token += 2) {
          int other = token + 1;
          int outA = token * stride + tile * TILE_ROWS;
          int outB = outA + stride;
          if (sixBits) {
            Int8Kernel128.sixTwo(data, at, blocks, x.pairs, token * pairs, other * pairs, x.scales, x.sixBitOffsets, token * blocks, other * blocks, out, outA, outB, row);
          } else {
            Int8Kernel128.eightTwo(data, at, blocks, x.pairs, token * pairs, other * pairs, x.scales, token * blocks, other * blocks, out, outA, outB, row);
          }
        }
      }
      if (even < tokens) {
        int outA = even * stride + first * TILE_ROWS;
        int outB = even * stride + last * TILE_ROWS;
        if (sixBits) {
          Int8Kernel128.six(data, first * tileBytes, last * tileBytes, blocks, x.pairs, even * pairs, x.scales, x.sixBitOffsets, even * blocks, out, outA, outB, row);
        } else {
          Int8Kernel128.eight(data, first * tileBytes, last * tileBytes, blocks, x.pairs, even * pairs, x.scales, even * blocks, out, outA, outB, row);
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
