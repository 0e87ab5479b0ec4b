package dev.nibble.kernel;

import dev.nibble.kernel.tile.Int8Tile;
import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.tensor.Half;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Weights of {@link TileLayout#INT8_SYMMETRIC} and {@link TileLayout#INT6_FACTORED}. */
public final class Int8Matrix implements TiledMatrix {
  private final TileLayout layout;
  private final int rows;
  private final int columns;
  private final int blocks;
  private final boolean sixBits;
  private final MemorySegment data;
  private byte[] rowTile; // of row(), from its first call on

  Int8Matrix(TileLayout layout, int rows, int columns, MemorySegment data) {
    this.layout = layout;
    this.rows = rows;
    this.columns = columns;
    this.blocks = columns / Activations.BLOCK;
    sixBits = layout == TileLayout.INT6_FACTORED;
    this.data = data;
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
  public TileLayout layout() {
    return layout;
  }

  @Override
  public MemorySegment segment() {
    return data;
  }

  @Override
  public void row(int row, float[] out, int offset) {
    rowTile = rowTile == null ? new byte[blocks * layout.blockBytes()] : rowTile;
    byte[] tile = rowTile;
    MemorySegment.copy(data, ValueLayout.JAVA_BYTE, (long) (row / TILE_ROWS) * tile.length, tile, 0, tile.length);
    for (int i = 0; i < columns; i++) {
      out[offset + i] = scale(tile, row % TILE_ROWS, i) * weight(tile, row % TILE_ROWS, i);
    }
  }

  private byte[] tile(int number) {
    byte[] tile = new byte[blocks * layout.blockBytes()];
    MemorySegment.copy(data, ValueLayout.JAVA_BYTE, (long) number * tile.length, tile, 0, tile.length);
    return tile;
  }

  private float scale(byte[] tile, int row, int input) {
    int at = input / Activations.BLOCK * layout.blockBytes();
    float scale = Half.toFloat((short) (tile[at + 2 * row] & 0xff | tile[at + 2 * row + 1] << 8));
    return sixBits ? scale * tile[at + Int8Tile.SCALE_BYTES + TILE_ROWS * (input % Activations.BLOCK / 16) + row] : scale;
  }

  private int weight(byte[] tile, int row, int input) {
    int at = input / Activations.BLOCK * layout.blockBytes() + (sixBits ? Int8Tile.SIX_BIT_SCALE_BYTES : Int8Tile.SCALE_BYTES) + Int8Tile.byteOf(row, input % Activations.BLOCK);
    return sixBits ? tile[at] - Int8Tile.SIX_BIT_OFFSET : tile[at];
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
    long tileBytes = (long) blocks * layout.blockBytes();
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
    long tileBytes = (long) blocks * layout.blockBytes();
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
