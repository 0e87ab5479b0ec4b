package dev.nibble.kernel;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * INT4 weights (Q4_0). A tile block is 16 rows × 32 inputs in 288 bytes, 4.5 bits a weight: 16 FP16 scales, then 8 vectors of 16 shorts;
 * short j of a lane holds the unsigned nibbles of inputs 4j … 4j + 3, lowest first. Lane 2i is row i, lane 2i + 1 is row 8 + i. A
 * weight is scale × (nibble - 8).
 */
public final class Q4Matrix implements TiledMatrix {
  /** Bytes of a tile block. */
  static final int BLOCK_BYTES = 288;
  static final int BLOCK_SHORTS = BLOCK_BYTES / 2;

  private final int rows;
  private final int columns;
  private final int blocks;
  private final MemorySegment data;

  Q4Matrix(int rows, int columns, MemorySegment data) {
    this.rows = rows;
    this.columns = columns;
    this.blocks = columns / Activations.BLOCK;
    this.data = data;
  }

  /** The lane that a row of a tile has among 16 shorts. */
  static int lane(int row) {
    return row < 8 ? 2 * row : 2 * (row - 8) + 1;
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
    return NumericFormat.Q4_0;
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
    short[] tile = new short[blocks * BLOCK_SHORTS];
    MemorySegment.copy(data, ValueLayout.JAVA_SHORT, (long) (row / TILE_ROWS) * blocks * BLOCK_BYTES, tile, 0, tile.length);
    int lane = lane(row % TILE_ROWS);
    for (int i = 0; i < columns; i++) {
      int block = i / 32 * BLOCK_SHORTS + lane;
      int nibble = tile[block + 16 * (1 + i % 32 / 4)] >>> 4 * (i % 4) & 15;
      out[offset + i] = Half.toFloat(tile[block]) * (nibble - 8);
    }
  }

  @Override
  public void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelMode mode, KernelScratch scratch) {
    TiledMatrix.check(this, x, tokens, out, stride, from, to);
    long tileBytes = (long) blocks * BLOCK_BYTES;
    switch (mode) {
      case SCALAR, VECTOR_128 -> Q4Reference.multiply(data, blocks, x, tokens, out, stride, from, to);
      case VECTOR_256 -> {
        int paired = tokens == 1 ? 0 : tokens & -2;
        if (paired > 0) {
          multiplyPairs(x, paired, out, stride, from, to, tileBytes, scratch);
        }
        if (paired < tokens) {
          for (int tile = from; tile < to; tile += 2) {
            // An odd last tile is computed twice rather than by code of its own.
            int other = Math.min(tile + 1, to - 1);
            Q4Kernel.multiply(data, tile * tileBytes, other * tileBytes, blocks, x.quants, paired * x.stride(), x.scales, x.sums, paired * blocks,
                out, paired * stride + tile * TILE_ROWS, paired * stride + other * TILE_ROWS);
          }
        }
      }
    }
  }

  private void multiplyPairs(
      Activations x, int tokens, float[] out, int stride, int from, int to, long tileBytes, KernelScratch scratch) {
    for (int token = 0; token < tokens; token++) {
      java.util.Arrays.fill(out, token * stride + from * TILE_ROWS, token * stride + to * TILE_ROWS, 0);
    }
    int half = KernelScratch.SLAB_BLOCKS * Activations.BLOCK * TILE_ROWS;
    for (int block = 0; block < blocks; block += KernelScratch.SLAB_BLOCKS) {
      int count = Math.min(KernelScratch.SLAB_BLOCKS, blocks - block);
      for (int token = 0; token < tokens; token += 2) {
        Q4Kernel.broadcast(x.quants, token * x.stride() + block * Activations.BLOCK, count * Activations.BLOCK, scratch.broadcast, 0);
        Q4Kernel.broadcast(x.quants, (token + 1) * x.stride() + block * Activations.BLOCK, count * Activations.BLOCK, scratch.broadcast, half);
        for (int tile = from; tile < to; tile++) {
          Q4Kernel.accumulate(data, tile * tileBytes + (long) block * BLOCK_BYTES, count, scratch.broadcast, half, x.scales, x.sums,
              token * blocks + block, (token + 1) * blocks + block, out, token * stride + tile * TILE_ROWS, (token + 1) * stride + tile * TILE_ROWS);
        }
      }
    }
  }
}
