package dev.nibble.kernel;

import dev.nibble.kernel.tile.Int4Tile;
import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.tensor.Half;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

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
  public void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelProvider kernels, Panel panel) {
    TiledMatrix.check(this, x, tokens, out, stride, from, to);
    kernels.int4(data, tileBytes, affine, blocks, x, tokens, out, stride, from, to, panel);
  }

  private float minimum(short[] tile, int block, int row) {
    return Half.toFloat(tile[blocks * Int4Tile.BLOCK_SHORTS + block * Int4Tile.MINIMUM_BYTES / Short.BYTES + row]);
  }
}
