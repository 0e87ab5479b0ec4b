package dev.nibble.kernel;

import dev.nibble.kernel.tile.TileLayout;
import java.lang.foreign.MemorySegment;

/** Weights of {@link TileLayout#HALF} and {@link TileLayout#BFLOAT}. */
public final class HalfMatrix implements TiledMatrix {
  private final TileLayout layout;
  private final int rows;
  private final int columns;
  private final boolean brain;
  private final long tileBytes;
  private final MemorySegment data;

  HalfMatrix(TileLayout layout, int rows, int columns, MemorySegment data) {
    this.layout = layout;
    this.rows = rows;
    this.columns = columns;
    brain = layout == TileLayout.BFLOAT;
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
    float[] tile = FloatReference.halves(data, row / TILE_ROWS * tileBytes, columns, brain);
    for (int i = 0; i < columns; i++) {
      out[offset + i] = tile[TILE_ROWS * i + row % TILE_ROWS];
    }
  }

  @Override
  public void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelProvider kernels, Panel panel) {
    TiledMatrix.check(this, x, tokens, out, stride, from, to);
    kernels.half(data, tileBytes, brain, columns, x, tokens, out, stride, from, to);
  }
}
