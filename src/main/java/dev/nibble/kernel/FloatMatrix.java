package dev.nibble.kernel;

import dev.nibble.kernel.tile.TileLayout;
import java.lang.foreign.MemorySegment;

/** Weights of {@link TileLayout#FLOAT}. */
public final class FloatMatrix implements TiledMatrix {
  private final int rows;
  private final int columns;
  private final long tileBytes;
  private final MemorySegment data;

  FloatMatrix(int rows, int columns, MemorySegment data) {
    this.rows = rows;
    this.columns = columns;
    tileBytes = TileLayout.FLOAT.tileBytes(columns);
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
    return TileLayout.FLOAT;
  }

  @Override
  public MemorySegment segment() {
    return data;
  }

  @Override
  public void row(int row, float[] out, int offset) {
    float[] tile = FloatReference.floats(data, row / TILE_ROWS * tileBytes, columns);
    for (int i = 0; i < columns; i++) {
      out[offset + i] = tile[TILE_ROWS * i + row % TILE_ROWS];
    }
  }

  @Override
  public void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelProvider kernels, Panel panel) {
    TiledMatrix.check(this, x, tokens, out, stride, from, to);
    kernels.floats(data, tileBytes, columns, x, tokens, out, stride, from, to);
  }
}
