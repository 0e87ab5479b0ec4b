package dev.nibble.kernel;

import dev.nibble.kernel.tile.Int4Tile;
import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.tensor.Half;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** INT4 × INT8 products, one weight after the other: what {@link Q4Kernel256} and {@link Q4Kernel128} must agree with bit for bit. */
final class Q4Reference {
  private Q4Reference() {}

  static void multiply(MemorySegment data, long tileBytes, boolean affine, int blocks, Activations x, int tokens, float[] out, int stride, int from, int to) {
    short[] tile = new short[(int) tileBytes / Short.BYTES];
    for (int t = from; t < to; t++) {
      MemorySegment.copy(data, ValueLayout.JAVA_SHORT, t * tileBytes, tile, 0, tile.length);
      for (int token = 0; token < tokens; token++) {
        for (int r = 0; r < TileLayout.ROWS; r++) {
          out[token * stride + t * TileLayout.ROWS + r] = affine ? withMinimums(dot(tile, blocks, r, x, token), tile, blocks, r, x, token) : dot(tile, blocks, r, x, token);
        }
      }
    }
  }

  /** Weights are scale × (nibble - 8) + 8 × scale + minimum: the first part is in {@code sum}. */
  private static float withMinimums(float sum, short[] tile, int blocks, int row, Activations x, int token) {
    float result = sum;
    for (int b = 0; b < blocks; b++) {
      float scale = Half.toFloat(tile[b * Int4Tile.BLOCK_SHORTS + row]);
      float minimum = Half.toFloat(tile[blocks * Int4Tile.BLOCK_SHORTS + b * Int4Tile.MINIMUM_BYTES / Short.BYTES + row]);
      result = Math.fma(Math.fma(scale, 8f, minimum), x.sums[token * x.blocks + b], result);
    }
    return result;
  }

  private static float dot(short[] tile, int blocks, int row, Activations x, int token) {
    float sum = 0;
    for (int b = 0; b < blocks; b++) {
      int at = b * Int4Tile.BLOCK_SHORTS;
      int products = 0;
      for (int i = 0; i < Activations.BLOCK; i++) {
        int nibble = tile[at + Int4Tile.shortOf(row, i)] >>> 4 * (i % 4) & 15;
        products += (nibble - 8) * x.quants[Activations.FRONT + token * x.stride() + b * Activations.BLOCK + i];
      }
      sum = Math.fma((float) products, Half.toFloat(tile[at + row]) * x.scales[token * x.blocks + b], sum);
    }
    return sum;
  }
}
