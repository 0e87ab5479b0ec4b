package dev.nibble.kernel;

import dev.nibble.kernel.tile.HalfTile;
import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.tensor.Half;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Weights of {@link TileLayout#HALF} and {@link TileLayout#BFLOAT}. */
public final class HalfMatrix implements TiledMatrix {
  private final TileLayout layout;
  private final int rows;
  private final int columns;
  private final MemorySegment data;

  HalfMatrix(TileLayout layout, int rows, int columns, MemorySegment data) {
    this.layout = layout;
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
    return layout;
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

  /** A tile as floats, [input][16], rows in order. */
  private float[] tile(int number) {
    short[] halves = new short[columns * TILE_ROWS];
    MemorySegment.copy(data, ValueLayout.JAVA_SHORT, 2L * number * halves.length, halves, 0, halves.length);
    float[] tile = new float[halves.length];
    for (int i = 0; i < columns; i++) {
      for (int r = 0; r < TILE_ROWS; r++) {
        short bits = halves[TILE_ROWS * i + HalfTile.lane(r)];
        tile[TILE_ROWS * i + r] = layout == TileLayout.HALF ? Half.toFloat(bits) : Float.intBitsToFloat(bits << 16);
      }
    }
    return tile;
  }

  @Override
  public void multiply(Activations x, int tokens, float[] out, int stride, int from, int to, KernelMode mode, Panel panel) {
    TiledMatrix.check(this, x, tokens, out, stride, from, to);
    boolean brain = layout == TileLayout.BFLOAT;
    for (int tile = from; tile < to; tile++) {
      long at = 32L * tile * columns;
      int outAt = tile * TILE_ROWS;
      switch (mode) {
        case SCALAR -> FloatMatrix.multiplyScalar(tile(tile), columns, x, tokens, out, stride, outAt);
        case VECTOR_512, VECTOR_256 -> {
          int token = 0;
          for (; token + 3 < tokens; token += 4) {
            if (brain) {
              HalfKernel256.multiplyFourBrain(data, at, columns, x.values, token * x.stride(), x.stride(), out, token * stride + outAt, stride);
            } else {
              HalfKernel256.multiplyFourHalf(data, at, columns, x.values, token * x.stride(), x.stride(), out, token * stride + outAt, stride);
            }
          }
          for (; token < tokens; token++) {
            if (brain) {
              HalfKernel256.multiplyBrain(data, at, columns, x.values, token * x.stride(), out, token * stride + outAt);
            } else {
              HalfKernel256.multiplyHalf(data, at, columns, x.values, token * x.stride(), out, token * stride + outAt);
            }
          }
        }
        case VECTOR_128 -> {
          for (int token = 0; token < tokens; token++) {
            if (brain) {
              HalfKernel128.multiplyBrain(data, at, columns, x.values, token * x.stride(), out, token * stride + outAt);
            } else {
              HalfKernel128.multiplyHalf(data, at, columns, x.values, token * x.stride(), out, token * stride + outAt);
            }
          }
        }
      }
    }
  }
}
