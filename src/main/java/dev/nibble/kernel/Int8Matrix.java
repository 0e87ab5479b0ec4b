package dev.nibble.kernel;

import dev.nibble.kernel.tile.TileLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Weights of {@link TileLayout#INT8_SYMMETRIC} and {@link TileLayout#INT6_FACTORED}. */
public final class Int8Matrix implements TiledMatrix {
  private final TileLayout layout;
  private final int rows;
  private final int columns;
  private final boolean sixBits;
  private final long tileBytes;
  private final MemorySegment data;
  private byte[] rowTile; // of row(), from its first call on

  Int8Matrix(TileLayout layout, int rows, int columns, MemorySegment data) {
    this.layout = layout;
    this.rows = rows;
    this.columns = columns;
    sixBits = layout == TileLayout.INT6_FACTORED;
    tileBytes = layout.tileBytes(columns);
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
    rowTile = rowTile == null ? new byte[Math.toIntExact(tileBytes)] : rowTile;
    byte[] tile = rowTile;
    MemorySegment.copy(data, ValueLayout.JAVA_BYTE, row / TILE_ROWS * tileBytes, tile, 0, tile.length);
    for (int i = 0; i < columns; i++) {
      out[offset + i] = Int8Reference.scale(tile, sixBits, row % TILE_ROWS, i) * Int8Reference.weight(tile, sixBits, row % TILE_ROWS, i);
    }
  }

  @Override
  public void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelProvider kernels, Panel panel) {
    TiledMatrix.check(this, x, tokens, out, stride, from, to);
    kernels.int8(data, tileBytes, sixBits, columns / Activations.BLOCK, x, tokens, out, stride, from, to);
  }
}
