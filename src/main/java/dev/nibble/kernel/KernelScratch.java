package dev.nibble.kernel;

/** A worker's own memory for products of several tokens. */
public final class KernelScratch {
  /** Blocks of inputs taken at a time: 2 tokens × 8 blocks × 32 inputs × 32 bytes = 16 KiB stay in the first-level cache. */
  static final int SLAB_BLOCKS = 8;
  /** Tokens whose broadcast inputs are held. */
  static final int SLAB_TOKENS = 2;

  /** Inputs of a slab, each 16 times: [token][block][input][16]. */
  final short[] broadcast = new short[SLAB_TOKENS * SLAB_BLOCKS * Activations.BLOCK * TiledMatrix.TILE_ROWS];
}
