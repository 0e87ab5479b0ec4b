package dev.nibble.kernel;

import dev.nibble.kernel.tile.Int8Tile;
import dev.nibble.kernel.tile.TileLayout;
import dev.nibble.tensor.Half;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Products of 8-bit and 6-bit weights, one weight after the other: what {@link Int8Kernel256} and {@link Int8Kernel128} must agree with bit for bit. */
final class Int8Reference {
  private Int8Reference() {}

  static void multiply(MemorySegment data, long tileBytes, boolean sixBits, int blocks, Activations x, int tokens, float[] out, int stride, int from, int to) {
    byte[] tile = new byte[Math.toIntExact(tileBytes)];
    int group = sixBits ? Int8Tile.GROUP_INPUTS : TileLayout.BLOCK;
    for (int t = from; t < to; t++) {
      MemorySegment.copy(data, ValueLayout.JAVA_BYTE, t * tileBytes, tile, 0, tile.length);
      for (int token = 0; token < tokens; token++) {
        for (int row = 0; row < TileLayout.ROWS; row++) {
          float sum = 0;
          for (int first = 0; first < blocks * TileLayout.BLOCK; first += group) {
            int products = 0;
            for (int i = first; i < first + group; i++) {
              products += weight(tile, sixBits, row, i) * x.quants[Activations.FRONT + token * x.stride() + i];
            }
            sum = Math.fma((float) products, scale(tile, sixBits, row, first) * x.scales[token * blocks + first / TileLayout.BLOCK], sum);
          }
          out[token * stride + t * TileLayout.ROWS + row] = sum;
        }
      }
    }
  }

  /** What an input's integer weight is multiplied by: its scale, and its factor where there is one. */
  static float scale(byte[] tile, boolean sixBits, int row, int input) {
    int at = block(sixBits, input);
    float scale = Half.toFloat((short) (tile[at + 2 * row] & 0xff | tile[at + 2 * row + 1] << 8));
    return sixBits ? scale * tile[at + Int8Tile.SCALE_BYTES + TileLayout.ROWS * (input % TileLayout.BLOCK / Int8Tile.GROUP_INPUTS) + row] : scale;
  }

  /** An input's integer weight. */
  static int weight(byte[] tile, boolean sixBits, int row, int input) {
    int at = block(sixBits, input) + (sixBits ? Int8Tile.SIX_BIT_SCALE_BYTES : Int8Tile.SCALE_BYTES) + Int8Tile.byteOf(row, input % TileLayout.BLOCK);
    return sixBits ? tile[at] - Int8Tile.SIX_BIT_OFFSET : tile[at];
  }

  private static int block(boolean sixBits, int input) {
    return input / TileLayout.BLOCK * (sixBits ? Int8Tile.SIX_BIT_BLOCK_BYTES : Int8Tile.EIGHT_BIT_BLOCK_BYTES);
  }
}
