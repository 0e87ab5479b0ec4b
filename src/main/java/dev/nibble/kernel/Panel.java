package dev.nibble.kernel;

/**
 * Scratch memory of a thread for products with many vectors: a slab of a tile's INT4 weights, unpacked once for all of them. A slab stays in a
 * first-level cache of 32 KB together with the inputs that it is multiplied with; vectors of 512 bits take two tiles (such processors have 48 KB).
 */
public final class Panel {
  /** Blocks of 32 inputs that a slab has at most: 16 rows × 512 inputs × 2 bytes are 16 KB. */
  static final int BLOCKS = 16;
  /** Shorts of a block. */
  static final int BLOCK_SHORTS = TiledMatrix.TILE_ROWS * Activations.BLOCK;
  /** Tiles. */
  static final int TILES = 2;

  final short[] weights = new short[TILES * BLOCKS * BLOCK_SHORTS]; // [tile][block][pair of inputs][row][2], -8 to 7
  final float[] scales = new float[TILES * BLOCKS * TiledMatrix.TILE_ROWS]; // [tile][block][row]
}
