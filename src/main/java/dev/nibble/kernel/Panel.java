package dev.nibble.kernel;

import dev.nibble.kernel.tile.TileLayout;

/**
 * Scratch memory of a thread for products with many vectors: a slab of INT4 weights, unpacked once for all of them, either of one tile or half as
 * many inputs of two. 32 KB stay in the first-level cache of processors that have 48 KB there; from the second level, where others keep a part of it,
 * come 64 bytes for 16 products and 16 sums, far less than it gives.
 */
public final class Panel {
  /** Blocks of 32 inputs that it holds at most. Measured: 16 are slower by some percent, as sums are fetched and stored twice as often. */
  static final int BLOCKS = 32;
  /** Blocks of each of two tiles. */
  static final int BLOCKS_OF_TWO = BLOCKS / 2;
  /** Shorts of a block. */
  static final int BLOCK_SHORTS = TileLayout.ROWS * Activations.BLOCK;

  final short[] weights = new short[BLOCKS * BLOCK_SHORTS]; // [tile][block][pair of inputs][row][2], -8 to 7
  final float[] scales = new float[BLOCKS * TileLayout.ROWS]; // [tile][block][row]
}
