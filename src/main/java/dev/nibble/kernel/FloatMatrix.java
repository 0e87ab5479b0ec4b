package dev.nibble.kernel;

import dev.nibble.kernel.tile.TileLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Weights of {@link TileLayout#FLOAT}. */
public final class FloatMatrix implements TiledMatrix {
  private final int rows;
  private final int columns;
  private final MemorySegment data;

  FloatMatrix(int rows, int columns, MemorySegment data) {
    this.rows = rows;
    this.columns = columns;
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
    float[] tile = tile(row / TILE_ROWS);
    for (int i = 0; i < columns; i++) {
      out[offset + i] = tile[TILE_ROWS * i + row % TILE_ROWS];
    }
  }

  private float[] tile(int number) {
    float[] tile = new float[columns * TILE_ROWS];
    MemorySegment.copy(data, ValueLayout.JAVA_FLOAT, 4L * number * tile.length, tile, 0, tile.length);
    return tile;
  }

  @Override
  public void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelMode mode, Panel panel) {
    TiledMatrix.check(this, x, tokens, out, stride, from, to);
    for (int tile = from; tile < to; tile++) {
      long at = 64L * tile * columns;
      int outAt = tile * TILE_ROWS;
      switch (mode) {
        case SCALAR -> multiplyScalar(tile(tile), columns, x, tokens, out, stride, outAt);
        case VECTOR_512, VECTOR_256 -> {
          int token = 0;
          for (; token + 3 < tokens; token += 4) {
            FloatKernel256.multiplyFour(data, at, columns, x.values, token * x.stride(), x.stride(), out, token * stride + outAt, stride);
          }
          for (; token < tokens; token++) {
            FloatKernel256.multiply(data, at, columns, x.values, token * x.stride(), out, token * stride + outAt);
          }
        }
        case VECTOR_128 -> {
          for (int token = 0; token < tokens; token++) {
            FloatKernel128.multiply(data, at, columns, x.values, token * x.stride(), out, token * stride + outAt);
          }
        }
      }
    }
  }

  /** The reference, for all formats computed in floats: tile is [input][16], rows in order. */
  static void multiplyScalar(float[] tile, int columns, Activations x, int tokens, float[] out, int stride, int outAt) {
    for (int token = 0; token < tokens; token++) {
      for (int row = 0; row < TILE_ROWS; row++) {
        float sum = 0;
        for (int i = 0; i < columns; i++) {
          sum = Math.fma(tile[TILE_ROWS * i + row], x.values[token * x.stride() + i], sum);
        }
        out[token * stride + outAt + row] = sum;
      }
    }
  }
}
