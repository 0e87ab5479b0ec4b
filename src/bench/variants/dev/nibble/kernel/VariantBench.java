package dev.nibble.kernel;

import dev.nibble.kernel.tile.Int4Tile;
import dev.nibble.kernel.tile.TileLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;

/**
 * Times what {@link VariantGenerator} wrote, on one thread and from the cache: medians of rounds in which all variants take turns, each round the shortest of
 * the passes that fit into 60 ms. Results must equal the reference's bit for bit.
 */
public final class VariantBench {
  private static final int ROWS = 512;
  private static final int COLUMNS = 2048;
  private static final int BLOCKS = COLUMNS / Activations.BLOCK;
  private static final int TOKENS = 12;
  private static final int ROUNDS = 7;
  private static final long WARM_UP_NANOS = 1_500_000_000L;
  private static final long ROUND_NANOS = 60_000_000L;

  private VariantBench() {}

  public static void main(String[] arguments) {
    Random random = new Random(1);
    int tiles = ROWS / TileLayout.ROWS;
    long tileBytes = (long) BLOCKS * Int4Tile.BLOCK_BYTES;
    MemorySegment weights = Arena.global().allocate(tiles * tileBytes, 64);
    for (long at = 0; at < weights.byteSize(); at += 4) {
      weights.set(ValueLayout.JAVA_INT, at, random.nextInt());
    }
    for (long block = 0; block < weights.byteSize(); block += Int4Tile.BLOCK_BYTES) {
      for (int row = 0; row < TileLayout.ROWS; row++) {
        weights.set(ValueLayout.JAVA_SHORT, block + 2 * row, Float.floatToFloat16(0.001f + 0.01f * random.nextFloat()));
      }
    }
    Activations x = new Activations(TOKENS, COLUMNS);
    for (int i = 0; i < x.values().length; i++) {
      x.values()[i] = (float) random.nextGaussian();
    }
    for (int token = 0; token < TOKENS; token++) {
      x.quantize(token, Kernels.SCALAR);
    }
    float[] expected = new float[TOKENS * ROWS];
    Q4Reference.multiply(weights, tileBytes, false, BLOCKS, x, TOKENS, expected, ROWS, 0, tiles);

    double[][] speeds = new double[Variants.NAMES.length][ROUNDS];
    for (int round = -1; round < ROUNDS; round++) {
      for (int variant = 0; variant < Variants.NAMES.length; variant++) {
        float[] out = new float[TOKENS * ROWS];
        int together = Variants.TOKENS[variant];
        int tokens = together == 1 ? 1 : TOKENS / together * together;
        long end = System.nanoTime() + (round < 0 ? WARM_UP_NANOS : ROUND_NANOS);
        long shortest = Long.MAX_VALUE;
        long start;
        while ((start = System.nanoTime()) < end) {
          for (int tile = 0; tile < tiles; tile += Variants.TILES[variant]) {
            for (int token = 0; token < tokens; token += together) {
              if (Variants.HALVES[variant]) {
                Variants.run(variant, weights, tile * tileBytes, tileBytes, BLOCKS, x, token, out, token * ROWS + 16 * tile + 8, ROWS, 8);
              }
              Variants.run(variant, weights, tile * tileBytes, tileBytes, BLOCKS, x, token, out, token * ROWS + 16 * tile, ROWS, 0);
            }
          }
          shortest = Math.min(shortest, System.nanoTime() - start);
        }
        if (round < 0 && !Arrays.equals(out, 0, tokens * ROWS, expected, 0, tokens * ROWS)) {
          throw new IllegalStateException(Variants.NAMES[variant] + " is wrong");
        }
        if (round >= 0) {
          speeds[variant][round] = (double) tokens * ROWS * COLUMNS / shortest;
        }
      }
    }
    for (int variant = 0; variant < Variants.NAMES.length; variant++) {
      Arrays.sort(speeds[variant]);
      System.out.printf(Locale.ROOT, "%-12s %6.1f GMAC/s%n", Variants.NAMES[variant], speeds[variant][ROUNDS / 2]);
    }
  }

  /** The inputs' pairs as ints, for variants that are fed with those; made once. */
  static int[] ints(Activations x) {
    if (ints == null) {
      ints = new int[x.steps.length];
      for (int i = 0; i < ints.length; i++) {
        ints[i] = Float.floatToRawIntBits(x.steps[i]);
      }
    }
    return ints;
  }

  private static int[] ints;

  /** All tiles' weights as a {@link Panel} holds them; made once. */
  static short[] unpacked(MemorySegment weights) {
    if (unpacked == null) {
      int all = (int) (weights.byteSize() / Int4Tile.BLOCK_BYTES);
      unpacked = new short[all * Panel.BLOCK_SHORTS];
      unpackedScales = new float[all * TileLayout.ROWS];
      Panel panel = new Panel();
      for (int block = 0; block < all; block++) {
        Q4PanelKernel128.unpack(weights, (long) block * Int4Tile.BLOCK_BYTES, 1, panel, 0);
        System.arraycopy(panel.weights, 0, unpacked, block * Panel.BLOCK_SHORTS, Panel.BLOCK_SHORTS);
        System.arraycopy(panel.scales, 0, unpackedScales, block * TileLayout.ROWS, TileLayout.ROWS);
      }
    }
    return unpacked;
  }

  /** Their scales. */
  static float[] unpackedScales(MemorySegment weights) {
    unpacked(weights);
    return unpackedScales;
  }

  private static short[] unpacked;
  private static float[] unpackedScales;

  /** The inputs' pairs with those of so many tokens side by side; made once. */
  static float[] packed(Activations x, int tokens) {
    if (PACKED[tokens] == null) {
      PACKED[tokens] = new float[x.steps.length];
      int pairs = BLOCKS * Activations.PAIRS;
      for (int token = 0; token < TOKENS / tokens * tokens; token++) {
        for (int i = 0; i < pairs; i++) {
          PACKED[tokens][token / tokens * tokens * pairs + i * tokens + token % tokens] = x.steps[token * pairs + i];
        }
      }
    }
    return PACKED[tokens];
  }

  /** As {@link #packed}, each pair as often as a vector has lanes for it; made once. */
  static float[] copied(Activations x, int tokens, int lanes) {
    if (COPIED[tokens] == null) {
      float[] pairs = packed(x, tokens);
      COPIED[tokens] = new float[lanes * pairs.length];
      for (int i = 0; i < COPIED[tokens].length; i++) {
        COPIED[tokens][i] = pairs[i / lanes];
      }
    }
    return COPIED[tokens];
  }

  private static final float[][] COPIED = new float[TOKENS + 1][];
  private static final float[][] PACKED = new float[TOKENS + 1][];
}
