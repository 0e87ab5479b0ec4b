package dev.nibble.kernel;

import dev.nibble.kernel.tile.TileLayout;

/** Rounds inputs one after the other: what {@link ActivationKernel} must agree with bit for bit. */
final class ActivationReference {
  private ActivationReference() {}

  static void quantize(Activations x, int block) {
    int from = block * TileLayout.BLOCK;
    int bits = 0;
    for (int i = from; i < from + TileLayout.BLOCK; i++) {
      bits = Math.max(bits, Float.floatToRawIntBits(x.values[i]) & Activations.MAGNITUDE);
    }
    float largest = Float.intBitsToFloat(bits);
    float inverse = Activations.inverse(largest);
    for (int i = from; i < from + TileLayout.BLOCK; i++) {
      x.quants[Activations.FRONT + i] = Float.floatToRawIntBits(x.values[i] * inverse + Activations.ROUND) - Float.floatToRawIntBits(Activations.ROUND);
    }
    x.scales[block] = largest / Activations.LARGEST;
    int[] low = new int[2];
    int[] high = new int[2];
    for (int i = 0; i < TileLayout.PAIRS; i++) {
      int at = Activations.FRONT + from + i / 4 * 8 + i % 4;
      int first = x.quants[at];
      int second = x.quants[at + 4];
      x.pairs[block * TileLayout.PAIRS + i] = Float.intBitsToFloat(Activations.pair(first, second));
      int beforeFirst = i % 4 == 0 ? 0 : x.quants[at - 1];
      int beforeSecond = i % 4 == 0 ? 0 : x.quants[at + 3];
      x.steps[block * TileLayout.PAIRS + i] = Float.intBitsToFloat(Activations.pair(first - 16 * beforeFirst, second - 16 * beforeSecond));
      low[i / 8] += first;
      high[i / 8] += second;
    }
    x.offsets(block, low[0], high[0], low[1], high[1]);
  }
}
