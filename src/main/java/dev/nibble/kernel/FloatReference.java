package dev.nibble.kernel;

import dev.nibble.kernel.tile.HalfTile;
import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.tensor.Half;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Products of weights that are computed as floats, one after the other: what their vector kernels must agree with bit for bit. */
final class FloatReference {
  private FloatReference() {}

  /** A tile, [input][16], rows in order: its outputs of all tokens. */
  static void multiply(float[] weights, int columns, Activations x, int tokens, float[] out, int stride, int tile) {
    for (int token = 0; token < tokens; token++) {
      for (int row = 0; row < TileLayout.ROWS; row++) {
        float sum = 0;
        for (int i = 0; i < columns; i++) {
          sum = Math.fma(weights[TileLayout.ROWS * i + row], x.values[token * x.stride() + i], sum);
        }
        out[token * stride + tile * TileLayout.ROWS + row] = sum;
      }
    }
  }

  /** A tile of {@link TileLayout#FLOAT} that begins at a byte: [input][16], rows in order. */
  static float[] floats(MemorySegment data, long at, int columns) {
    float[] tile = new float[columns * TileLayout.ROWS];
    MemorySegment.copy(data, ValueLayout.JAVA_FLOAT, at, tile, 0, tile.length);
    return tile;
  }

  /** A tile of {@link TileLayout#HALF} or {@link TileLayout#BFLOAT} that begins at a byte, as floats: [input][16], rows in order. */
  static float[] halves(MemorySegment data, long at, int columns, boolean brain) {
    short[] halves = new short[columns * TileLayout.ROWS];
    MemorySegment.copy(data, ValueLayout.JAVA_SHORT, at, halves, 0, halves.length);
    float[] tile = new float[halves.length];
    for (int i = 0; i < columns; i++) {
      for (int r = 0; r < TileLayout.ROWS; r++) {
        short bits = halves[TileLayout.ROWS * i + HalfTile.lane(r)];
        tile[TileLayout.ROWS * i + r] = brain ? Float.intBitsToFloat(bits << 16) : Half.toFloat(bits);
      }
    }
    return tile;
  }
}
