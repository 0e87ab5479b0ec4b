// Printed from src/main/templates/kernel/VectorKernels.java.txt by KernelPrinter; do not edit.
package dev.nibble.kernel;

import dev.nibble.kernel.tile.Int4Tile;
import dev.nibble.kernel.tile.TileLayout;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** Vectors of 256 bits (AVX2). */
sealed class VectorKernels256 extends VectorKernels permits VectorKernels512 {
  VectorKernels256() {
    this("VECTOR_256", 256);
  }

  VectorKernels256(String name, int vectorBits) {
    super(name, vectorBits);
  }

  @Override
  final void int4(MemorySegment data, long tileBytes, boolean affine, int blocks, Activations x, int tokens, float[] out, int stride, int from, int to, Panel panel) {
    int fours = tokens & -4;
    for (int first = from; first < to; first += TILES) {
      int last = Math.min(first + TILES, to);
      if (fours > 0) {
        for (int token = 0; token < fours; token++) {
          Arrays.fill(out, token * stride + first * TileLayout.ROWS, token * stride + last * TileLayout.ROWS, 0);
        }
        int4Fours(data, tileBytes, blocks, x, fours, out, stride, first, last, panel);
      }
      int4Rest(data, tileBytes, blocks, x, fours, tokens, out, stride, first, last);
      if (affine) {
        minimums(data, tileBytes, blocks, x, tokens, out, stride, first, last);
      }
    }
  }

  /** A multiple of four tokens, slab by slab of inputs, which is unpacked once for all of them; sums wait in {@code out} from slab to slab. */
  void int4Fours(MemorySegment data, long tileBytes, int blocks, Activations x, int fours, float[] out, int stride, int first, int last, Panel panel) {
    int pairs = blocks * TileLayout.PAIRS;
    for (int slab = 0; slab < blocks; slab += Panel.BLOCKS) {
      int slabBlocks = Math.min(Panel.BLOCKS, blocks - slab);
      for (int tile = first; tile < last; tile++) {
        Q4PanelKernel256.unpack(data, tile * tileBytes + (long) slab * Int4Tile.BLOCK_BYTES, slabBlocks, panel, 0);
        for (int token = 0; token < fours; token += 4) {
          int at = token * pairs + slab * TileLayout.PAIRS;
          int block = token * blocks + slab;
          int outAt = token * stride + tile * TileLayout.ROWS;
          Q4PanelKernel256.multiplyFour(panel, slabBlocks, x.pairs, at, pairs, x.scales, block, blocks, out, outAt, stride);
        }
      }
    }
  }

  /** What fours of tokens leave: two at a time tile by tile; an odd last one with four tiles at once, where there are fewer the last of them several times. */
  void int4Rest(
      MemorySegment data, long tileBytes, int blocks, Activations x, int fours, int tokens, float[] out, int stride, int first, int last) {
    int pairs = blocks * TileLayout.PAIRS;
    int even = tokens & -2;
    if (fours < even) {
      for (int tile = first; tile < last; tile++) {
        Q4Kernel256.multiplyTwo(data, tile * tileBytes, blocks, x.steps, fours * pairs, (fours + 1) * pairs, x.scales, x.nibbleOffsets, fours * blocks,
            (fours + 1) * blocks, out, fours * stride + tile * TileLayout.ROWS, (fours + 1) * stride + tile * TileLayout.ROWS);
      }
    }
    if (even < tokens) {
      int b = Math.min(first + 1, last - 1);
      int c = Math.min(first + 2, last - 1);
      int d = Math.min(first + 3, last - 1);
      int outAt = even * stride;
      Q4Kernel256.multiply(data, first * tileBytes, b * tileBytes, c * tileBytes, d * tileBytes, blocks, x.steps, even * pairs, x.scales, x.nibbleOffsets,
          even * blocks, out, outAt + first * TileLayout.ROWS, outAt + b * TileLayout.ROWS, outAt + c * TileLayout.ROWS, outAt + d * TileLayout.ROWS);
    }
  }

  void minimums(MemorySegment data, long tileBytes, int blocks, Activations x, int tokens, float[] out, int stride, int first, int last) {
    int fours = tokens & -4;
    for (int tile = first; tile < last; tile++) {
      long at = tile * tileBytes;
      int outAt = tile * TileLayout.ROWS;
      for (int token = 0; token < fours; token += 4) {
        MinimumKernel256.addFour(data, at, blocks, x.sums, token * blocks, out, token * stride + outAt, stride);
      }
      for (int token = fours; token < tokens; token++) {
        MinimumKernel256.add(data, at, blocks, x.sums, token * blocks, out, token * stride + outAt);
      }
    }
  }

  @Override
  final void int8(MemorySegment data, long tileBytes, boolean sixBits, int blocks, Activations x, int tokens, float[] out, int stride, int from, int to) {
    for (int first = from; first < to; first += 2) {
      int8Pair(data, tileBytes, sixBits, blocks, x, tokens, out, stride, first, Math.min(first + 1, to - 1));
    }
  }

  /** Two tiles, which may be the same: two tokens at a time tile by tile, an odd last one with both tiles at once. */
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
          Int8Kernel256.sixTwo(data, at, blocks, x.pairs, token * pairs, other * pairs, x.scales, x.sixBitOffsets, token * blocks, other * blocks, out, outA, outB);
        } else {
          Int8Kernel256.eightTwo(data, at, blocks, x.pairs, token * pairs, other * pairs, x.scales, token * blocks, other * blocks, out, outA, outB);
        }
      }
    }
    if (even < tokens) {
      int outA = even * stride + first * TileLayout.ROWS;
      int outB = even * stride + last * TileLayout.ROWS;
      if (sixBits) {
        Int8Kernel256.six(data, first * tileBytes, last * tileBytes, blocks, x.pairs, even * pairs, x.scales, x.sixBitOffsets, even * blocks, out, outA, outB);
      } else {
        Int8Kernel256.eight(data, first * tileBytes, last * tileBytes, blocks, x.pairs, even * pairs, x.scales, even * blocks, out, outA, outB);
      }
    }
  }

  @Override
  final void half(MemorySegment data, long tileBytes, boolean brain, int columns, Activations x, int tokens, float[] out, int stride, int from, int to) {
    for (int tile = from; tile < to; tile++) {
      long at = tile * tileBytes;
      int outAt = tile * TileLayout.ROWS;
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
  }

  @Override
  final void floats(MemorySegment data, long tileBytes, int columns, Activations x, int tokens, float[] out, int stride, int from, int to) {
    for (int tile = from; tile < to; tile++) {
      long at = tile * tileBytes;
      int outAt = tile * TileLayout.ROWS;
      int token = 0;
      for (; token + 3 < tokens; token += 4) {
        FloatKernel256.multiplyFour(data, at, columns, x.values, token * x.stride(), x.stride(), out, token * stride + outAt, stride);
      }
      for (; token < tokens; token++) {
        FloatKernel256.multiply(data, at, columns, x.values, token * x.stride(), out, token * stride + outAt);
      }
    }
  }

  @Override
  final void unpack(PageLayout layout, int[] page, int at, float[] scales, float[] zeros, float[] out) {
    int groups = layout.parameterInts();
    int rows = at + groups;
    int runs = layout.numbers() / PageLayout.RUN;
    int shift = Integer.numberOfTrailingZeros(layout.group() / PageLayout.RUN);
    PageKernel256.unpackParameters(page, at, groups, scales, zeros);
    switch (layout.format()) {
      case F32 -> PageKernel256.unpackFloats(page, rows, layout.numbers(), out);
      case F16 -> PageKernel256.unpackHalves(page, rows, layout.numbers(), out);
      case INT8 -> PageKernel256.unpack8(page, rows, runs, shift, scales, zeros, out);
      case INT4 -> PageKernel256.unpack4(page, rows, runs, shift, scales, zeros, out);
      case INT2 -> PageKernel256.unpack2(page, rows, runs, shift, scales, zeros, out);
    }
  }

  @Override
  final void score(float[] queries, int at, int stride, int rows, int width, float[] keys, int keysAt, float[] out, int outAt) {
    int row = 0;
    for (; row + 3 < rows; row += 4) {
      PageKernel256.scoreFour(queries, at + row * stride, stride, width, keys, keysAt, out, outAt + row * PageLayout.TOKENS);
    }
    for (; row < rows; row++) {
      PageKernel256.scoreOne(queries, at + row * stride, width, keys, keysAt, out, outAt + row * PageLayout.TOKENS);
    }
  }

  @Override
  final float maximum(float[] scores, int at, float[] partials) {
    return PageKernel256.maximum(scores, at, partials);
  }

  @Override
  final void exponentials(float[] scores, int at, float most) {
    PageKernel256.exponentials(scores, at, most);
  }

  @Override
  final float sum(float[] weights, int at, float[] partials) {
    return PageKernel256.sum(weights, at, partials);
  }

  @Override
  final void blend(
      float[] weights, int at, int rows, int from, int to, float[] values, int valuesAt, int width, float[] factors, int factorsAt, float[] out, int outAt) {
    int row = 0;
    for (; row + 3 < rows; row += 4) {
      PageKernel256.blendFour(
          weights, at + row * PageLayout.TOKENS, from, to, values, valuesAt, width, factors, factorsAt + row, out, outAt + row * width);
    }
    for (; row < rows; row++) {
      PageKernel256.blendOne(
          weights, at + row * PageLayout.TOKENS, from, to, values, valuesAt, width, factors[factorsAt + row], out, outAt + row * width);
    }
  }

  @Override
  final int read(MemorySegment memory, int from, int to) {
    return ReadKernel256.sum(memory, from, to);
  }
}
