package dev.nibble.kernel;

import dev.nibble.kernel.tile.Int4Tile;
import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.tensor.Half;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Weights of {@link TileLayout#INT4_SYMMETRIC} and {@link TileLayout#INT4_AFFINE}. The latter are computed as scale × (nibble - 8), by the same kernels, and
 * then 8 × scale + minimum times the sum of a block's inputs is added for each block.
 *
 * <p>Kernels do not mask nibbles: of the short n0 + 16 n1 + 256 n2 + 4096 n3 they multiply the shifted values s0 = n0 + 16 s1, s1 = n1 + 16 s2, … with
 * differences of inputs, s0 x0 + s1 (x1 - 16 x0) + s2 (x2 - 16 x1) + s3 (x3 - 16 x2) = n0 x0 + n1 x1 + n2 x2 + n3 x3. What overflows 16 bits on
 * the way cancels out, as sums are taken modulo 2^16 and the last one fits: 16 inputs × 8 × 127 = 16256, when it starts at -8 × the inputs' sum.
 */
public final class Q4Matrix implements TiledMatrix {
  private final TileLayout layout;
  private final boolean affine;
  private final int rows;
  private final int columns;
  private final int blocks;
  private final long tileBytes;
  private final MemorySegment data;
  private short[] rowTile; // of row(), from its first call on

  Q4Matrix(TileLayout layout, int rows, int columns, MemorySegment data) {
    this.layout = layout;
    affine = layout == TileLayout.INT4_AFFINE;
    tileBytes = layout.tileBytes(columns);
    this.rows = rows;
    this.columns = columns;
    this.blocks = columns / Activations.BLOCK;
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
    rowTile = rowTile == null ? new short[Math.toIntExact(tileBytes / Short.BYTES)] : rowTile;
    short[] tile = rowTile;
    MemorySegment.copy(data, ValueLayout.JAVA_SHORT, row / TILE_ROWS * tileBytes, tile, 0, tile.length);
    for (int i = 0; i < columns; i++) {
      int block = i / Activations.BLOCK * Int4Tile.BLOCK_SHORTS;
      int nibble = tile[block + Int4Tile.shortOf(row % TILE_ROWS, i % Activations.BLOCK)] >>> 4 * (i % 4) & 15;
      float scale = Half.toFloat(tile[block + row % TILE_ROWS]);
      out[offset + i] = affine ? scale * nibble + minimum(tile, i / Activations.BLOCK, row % TILE_ROWS) : scale * (nibble - 8);
    }
  }

  @Override
  public void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelMode mode, Panel panel) {
    TiledMatrix.check(this, x, tokens, out, stride, from, to);
    switch (mode) {
      case SCALAR -> Q4Reference.multiply(data, tileBytes, affine, blocks, x, tokens, out, stride, from, to);
      case VECTOR_512, VECTOR_256 -> {
        for (int tile = from; tile < to; tile += SHARE) {
          multiply256(x, tokens, out, stride, tile, to, mode, panel);
          if (affine) {
            minimums256(x, tokens, out, stride, tile, Math.min(tile + SHARE, to));
          }
        }
      }
      case VECTOR_128 -> {
        for (int tile = from; tile < to; tile += SHARE) {
          multiply128(x, tokens, out, stride, tile, to, mode, panel);
          if (affine) {
            minimums128(x, tokens, out, stride, tile, Math.min(tile + SHARE, to));
          }
        }
      }
    }
  }

  private float minimum(short[] tile, int block, int row) {
    return Half.toFloat(tile[blocks * Int4Tile.BLOCK_SHORTS + block * Int4Tile.MINIMUM_BYTES / Short.BYTES + row]);
  }

  private void minimums256(Activations x, int tokens, float[] out, int stride, int first, int last) {
    for (int tile = first; tile < last; tile++) {
      long at = tile * tileBytes;
      int fours = tokens & -4;
      for (int token = 0; token < fours; token += 4) {
        MinimumKernel256.addFour(data, at, Int4Tile.BLOCK_BYTES, at + (long) blocks * Int4Tile.BLOCK_BYTES, blocks, x.sums, token * blocks, out,
            token * stride + tile * TILE_ROWS, stride);
      }
      for (int token = fours; token < tokens; token++) {
        MinimumKernel256.add(data, at, Int4Tile.BLOCK_BYTES, at + (long) blocks * Int4Tile.BLOCK_BYTES, blocks, x.sums, token * blocks, out,
            token * stride + tile * TILE_ROWS);
      }
    }
  }

  private void minimums128(Activations x, int tokens, float[] out, int stride, int first, int last) {
    for (int tile = first; tile < last; tile++) {
      long at = tile * tileBytes;
      int fours = tokens & -4;
      for (int token = 0; token < fours; token += 4) {
        for (int row = 0; row < TILE_ROWS; row += TILE_ROWS / 2) {
          MinimumKernel128.addFour(data, at, Int4Tile.BLOCK_BYTES, at + (long) blocks * Int4Tile.BLOCK_BYTES, blocks, x.sums, token * blocks, out,
              token * stride + tile * TILE_ROWS + row, stride, row);
        }
      }
      for (int token = fours; token < tokens; token++) {
        for (int row = 0; row < TILE_ROWS; row += TILE_ROWS / 2) {
          MinimumKernel128.add(data, at, Int4Tile.BLOCK_BYTES, at + (long) blocks * Int4Tile.BLOCK_BYTES, blocks, x.sums, token * blocks, out,
              token * stride + tile * TILE_ROWS + row, row);
        }
      }
    }
  }

  /** A multiple of four tokens, slab by slab of inputs, which is unpacked once for all of them; sums wait in {@code out} from slab to slab. */
  private void multiplyFours(Activations x, int fours, float[] out, int stride, int first, int last, KernelMode mode, Panel panel) {
    if (fours == 0) {
      return;
    }
    for (int token = 0; token < fours; token++) {
      Arrays.fill(out, token * stride + first * TILE_ROWS, token * stride + last * TILE_ROWS, 0);
    }
    int pairs = blocks * Activations.PAIRS;
    boolean wide = mode == KernelMode.VECTOR_512;
    int most = wide ? Panel.BLOCKS_OF_TWO : Panel.BLOCKS;
    for (int slab = 0; slab < blocks; slab += most) {
      int slabBlocks = Math.min(most, blocks - slab);
      for (int tile = first, together; tile < last; tile += together) {
        together = wide && tile + 1 < last ? 2 : 1;
        for (int i = 0; i < together; i++) {
          long from = (tile + i) * tileBytes + (long) slab * Int4Tile.BLOCK_BYTES;
          if (mode == KernelMode.VECTOR_128) {
            Q4PanelKernel128.unpack(data, from, slabBlocks, panel, i * most);
          } else {
            Q4PanelKernel256.unpack(data, from, slabBlocks, panel, i * most);
          }
        }
        for (int token = 0; token < fours; token += 4) {
          int at = token * pairs + slab * Activations.PAIRS;
          int block = token * blocks + slab;
          int outAt = token * stride + tile * TILE_ROWS;
          if (together > 1) {
            Q4PanelKernel512.multiplyFour(panel, slabBlocks, x.pairs, at, pairs, x.scales, block, blocks, out, outAt, stride);
          } else if (mode == KernelMode.VECTOR_128) {
            for (int row = 0; row < TILE_ROWS; row += TILE_ROWS / 2) {
              Q4PanelKernel128.multiplyFour(panel, slabBlocks, x.pairs, at, pairs, x.scales, block, blocks, out, outAt + row, stride, row);
            }
          } else {
            Q4PanelKernel256.multiplyFour(panel, slabBlocks, x.pairs, at, pairs, x.scales, block, blocks, out, outAt, stride);
          }
        }
      }
    }
  }

  /** Up to four tiles: four tokens at a time; what is left of tokens two at a time, an odd last one with all four tiles at once. */
  private void multiply256(Activations x, int tokens, float[] out, int stride, int first, int to, KernelMode mode, Panel panel) {
    int pairs = blocks * Activations.PAIRS;
    int last = Math.min(first + SHARE, to);
    int fours = tokens & -4;
    multiplyFours(x, fours, out, stride, first, last, mode, panel);
    int even = tokens & -2;
    if (fours < even) {
      for (int tile = first; tile < last; tile++) {
        Q4Kernel256.multiplyTwo(data, tile * tileBytes, blocks, x.steps, fours * pairs, (fours + 1) * pairs, x.scales, x.nibbleOffsets, fours * blocks,
            (fours + 1) * blocks, out, fours * stride + tile * TILE_ROWS, (fours + 1) * stride + tile * TILE_ROWS);
      }
    }
    if (even < tokens) {
      // Where there are fewer than four tiles the last one is computed again, rather than by code of its own.
      int b = Math.min(first + 1, to - 1);
      int c = Math.min(first + 2, to - 1);
      int d = Math.min(first + 3, to - 1);
      int outAt = even * stride;
      Q4Kernel256.multiply(data, first * tileBytes, b * tileBytes, c * tileBytes, d * tileBytes, blocks, x.steps, even * pairs, x.scales, x.nibbleOffsets,
          even * blocks, out, outAt + first * TILE_ROWS, outAt + b * TILE_ROWS, outAt + c * TILE_ROWS, outAt + d * TILE_ROWS);
    }
  }

  private void multiply128(Activations x, int tokens, float[] out, int stride, int first, int to, KernelMode mode, Panel panel) {
    int pairs = blocks * Activations.PAIRS;
    int last = Math.min(first + SHARE, to);
    int fours = tokens & -4;
    multiplyFours(x, fours, out, stride, first, last, mode, panel);
    int even = tokens & -2;
    for (int row = 0; row < TILE_ROWS; row += TILE_ROWS / 2) {
      if (fours < even) {
        for (int tile = first; tile < last; tile++) {
          Q4Kernel128.multiplyTwo(data, tile * tileBytes, blocks, x.steps, fours * pairs, (fours + 1) * pairs, x.scales, x.nibbleOffsets, fours * blocks,
              (fours + 1) * blocks, out, fours * stride + tile * TILE_ROWS, (fours + 1) * stride + tile * TILE_ROWS, row);
        }
      }
      if (even < tokens) {
        int b = Math.min(first + 1, to - 1);
        int c = Math.min(first + 2, to - 1);
        int d = Math.min(first + 3, to - 1);
        int outAt = even * stride;
        Q4Kernel128.multiply(data, first * tileBytes, b * tileBytes, c * tileBytes, d * tileBytes, blocks, x.steps, even * pairs, x.scales,
            x.nibbleOffsets, even * blocks, out, outAt + first * TILE_ROWS, outAt + b * TILE_ROWS, outAt + c * TILE_ROWS, outAt + d * TILE_ROWS, row);
      }
    }
  }
}
