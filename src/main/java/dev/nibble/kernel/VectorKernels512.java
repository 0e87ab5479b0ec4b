// Printed from src/main/templates/kernel/VectorKernels.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import dev.nibble.kernel.tile.Int4Tile;
import dev.nibble.kernel.tile.TileLayout;
import java.lang.foreign.MemorySegment;

/** Vectors of 512 bits (AVX-512), each of which holds a tile's 16 rows: products of integers, where they gain; all else as {@link VectorKernels256}. */
final class VectorKernels512 extends VectorKernels256 {
  VectorKernels512() {
    super("VECTOR_512", 512);
  }

  /** As {@link VectorKernels256}, but two tiles at a time with half as many inputs of each: together they are as large a slab. */
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

  /** What fours of tokens leave: two at a time tile by tile; an odd last one with four tiles at once, where there are fewer the last of them several times. */
  @Override
  void int4Rest(
      MemorySegment data, long tileBytes, int blocks, Activations x, int fours, int tokens, float[] out, int stride, int first, int last) {
    int pairs = blocks * TileLayout.PAIRS;
    int even = tokens & -2;
    if (fours < even) {
      for (int tile = first; tile < last; tile++) {
        Q4Kernel512.multiplyTwo(data, tile * tileBytes, blocks, x.steps, fours * pairs, (fours + 1) * pairs, x.scales, x.nibbleOffsets, fours * blocks,
            (fours + 1) * blocks, out, fours * stride + tile * TileLayout.ROWS, (fours + 1) * stride + tile * TileLayout.ROWS);
      }
    }
    if (even < tokens) {
      int b = Math.min(first + 1, last - 1);
      int c = Math.min(first + 2, last - 1);
      int d = Math.min(first + 3, last - 1);
      int outAt = even * stride;
      Q4Kernel512.multiply(data, first * tileBytes, b * tileBytes, c * tileBytes, d * tileBytes, blocks, x.steps, even * pairs, x.scales, x.nibbleOffsets,
          even * blocks, out, outAt + first * TileLayout.ROWS, outAt + b * TileLayout.ROWS, outAt + c * TileLayout.ROWS, outAt + d * TileLayout.ROWS);
    }
  }

  @Override
  void minimums(MemorySegment data, long tileBytes, int blocks, Activations x, int tokens, float[] out, int stride, int first, int last) {
    int fours = tokens & -4;
    for (int tile = first; tile < last; tile++) {
      long at = tile * tileBytes;
      int outAt = tile * TileLayout.ROWS;
      for (int token = 0; token < fours; token += 4) {
        MinimumKernel512.addFour(data, at, blocks, x.sums, token * blocks, out, token * stride + outAt, stride);
      }
      for (int token = fours; token < tokens; token++) {
        MinimumKernel512.add(data, at, blocks, x.sums, token * blocks, out, token * stride + outAt);
      }
    }
  }

  /** Two tiles, which may be the same: two tokens at a time tile by tile, an odd last one with both tiles at once. */
  @Override
  void int8Pair(
      MemorySegment data, long tileBytes, boolean sixBits, int blocks, Activations x, int tokens, float[] out, int stride, int first, int last) {
    int pairs = blocks * TileLayout.PAIRS;
    int even = tokens & -2;
    for (int tile = first; tile <= last; tile++) {
      long at = tile * tileBytes;
      for (int token = 0; token < even; token += 2) {
        int other = token + 1;
        int outA = token * stride + tile * TileLayout.ROWS;
        int outB = outA + stride;
        if (sixBits) {
          Int8Kernel512.sixTwo(data, at, blocks, x.pairs, token * pairs, other * pairs, x.scales, x.sixBitOffsets, token * blocks, other * blocks, out, outA, outB);
        } else {
          Int8Kernel512.eightTwo(data, at, blocks, x.pairs, token * pairs, other * pairs, x.scales, token * blocks, other * blocks, out, outA, outB);
        }
      }
    }
    if (even < tokens) {
      int outA = even * stride + first * TileLayout.ROWS;
      int outB = even * stride + last * TileLayout.ROWS;
      if (sixBits) {
        Int8Kernel512.six(data, first * tileBytes, last * tileBytes, blocks, x.pairs, even * pairs, x.scales, x.sixBitOffsets, even * blocks, out, outA, outB);
      } else {
        Int8Kernel512.eight(data, first * tileBytes, last * tileBytes, blocks, x.pairs, even * pairs, x.scales, even * blocks, out, outA, outB);
      }
    }
  }
}
