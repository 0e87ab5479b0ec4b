package dev.nibble.kernel;

import dev.nibble.kernel.tile.Int4Tile;
import dev.nibble.kernel.tile.TileLayout;
import java.lang.foreign.MemorySegment;

/** Vectors of 512 bits (AVX-512) where they gain, which is in INT4 products with four tokens or more; all else as {@link VectorKernels256}. */
final class VectorKernels512 extends VectorKernels256 {
  VectorKernels512() {
    super("VECTOR_512", 512);
  }

  /** Two tiles at a time, half as many inputs of each: together they are as large a slab as one of {@link VectorKernels256}. */
  @Override
  void int4Fours(MemorySegment data, long tileBytes, int blocks, Activations x, int fours, float[] out, int stride, int first, int last, Panel panel) {
    int pairs = blocks * TileLayout.PAIRS;
    for (int slab = 0; slab < blocks; slab += Panel.BLOCKS_OF_TWO) {
      int slabBlocks = Math.min(Panel.BLOCKS_OF_TWO, blocks - slab);
      for (int tile = first; tile < last; tile += 2) {
        boolean two = tile + 1 < last;
        Q4PanelKernel256.unpack(data, tile * tileBytes + (long) slab * Int4Tile.BLOCK_BYTES, slabBlocks, panel, 0);
        if (two) {
          Q4PanelKernel256.unpack(data, (tile + 1) * tileBytes + (long) slab * Int4Tile.BLOCK_BYTES, slabBlocks, panel, Panel.BLOCKS_OF_TWO);
        }
        for (int token = 0; token < fours; token += 4) {
          int at = token * pairs + slab * TileLayout.PAIRS;
          int block = token * blocks + slab;
          int outAt = token * stride + tile * TileLayout.ROWS;
          if (two) {
            Q4PanelKernel512.multiplyFour(panel, slabBlocks, x.pairs, at, pairs, x.scales, block, blocks, out, outAt, stride);
          } else {
            Q4PanelKernel256.multiplyFour(panel, slabBlocks, x.pairs, at, pairs, x.scales, block, blocks, out, outAt, stride);
          }
        }
      }
    }
  }
}
