package dev.nibble.kernel;

import dev.nibble.kernel.tile.TileLayout;

/**
 * Input vectors of matrix products: tokens × columns as floats, and beside them as int8 with a scale for every 32 and in the orders that integer
 * kernels broadcast. Rows are padded with zeros to whole blocks of 32.
 *
 * <p>Integer kernels keep a row in a lane of 32 bits and two sums of 16 bits in it, so they take inputs in pairs: of each eight, x0 … x7, the
 * pairs are (x0, x4), (x1, x5), (x2, x6) and (x3, x7), the first in the low half. {@link #pairs} holds them as they are. {@link #steps} holds
 * differences, (xi − 16 xi−1) with x−1 = 0, for weights of four bits that are shifted but not masked (see {@link Q4Matrix}).
 */
public final class Activations {
  /** Inputs that share a scale: as many as a block of a tile of integers has. */
  public static final int BLOCK = TileLayout.BLOCK;
  /** Pairs of a block. */
  static final int PAIRS = TileLayout.PAIRS;
  /** 1.5 × 2^23: adding it to a float of magnitude below 2^22 rounds to an integer, halves to even, and leaves it in the low bits. */
  static final float ROUND = 12582912f;
  /** Unused quants before the first, so that a vector can be loaded from one to the left. */
  static final int FRONT = 4;
  /** All bits of a float but its sign: as integers they are ordered as magnitudes are. */
  static final int MAGNITUDE = 0x7fffffff;
  /** Largest magnitude of a rounded input. */
  static final float LARGEST = 127f;

  private final int columns;
  private final int stride;
  final int blocks;
  final float[] values; // [token][stride]
  final int[] quants; // FRONT, then [token][stride], -127 to 127
  final float[] scales; // [token][blocks]
  final float[] sums; // [token][blocks]: of a block's inputs, as they are rounded
  final float[] pairs; // [token][blocks][16], bits of two shorts each: floats, because a float from memory broadcasts in one instruction
  final float[] steps; // [token][blocks][16], likewise
  final int[] nibbleOffsets; // [token][blocks]: -8 × the block's inputs, low halves and high halves of its pairs apart, as two shorts
  final int[] sixBitOffsets; // [token][blocks][2]: -32 × the inputs of half a block, likewise

  /** @param tokens most vectors held at a time */
  public Activations(int tokens, int columns) {
    this.columns = columns;
    blocks = (columns + BLOCK - 1) / BLOCK;
    stride = blocks * BLOCK;
    values = new float[Math.multiplyExact(tokens, stride)];
    quants = new int[FRONT + values.length];
    scales = new float[tokens * blocks];
    sums = new float[tokens * blocks];
    pairs = new float[values.length / 2];
    steps = new float[values.length / 2];
    nibbleOffsets = new int[tokens * blocks];
    sixBitOffsets = new int[2 * tokens * blocks];
  }

  public int columns() {
    return columns;
  }

  /** Distance of two tokens' vectors in {@link #values}. */
  public int stride() {
    return stride;
  }

  /** Blocks of a vector. */
  public int blocks() {
    return blocks;
  }

  /** The vectors: [token][stride]. Writers call {@link #quantize} before integer products read them. */
  public float[] values() {
    return values;
  }

  /** Rounds a token's vector to int8, block by block: scale = largest magnitude / 127, halves to even. */
  public void quantize(int token, KernelProvider kernels) {
    quantize(token, 0, blocks, kernels);
  }

  /** Rounds some blocks of a token's vector: {@code fromBlock} to {@code toBlock - 1}. */
  public void quantize(int token, int fromBlock, int toBlock, KernelProvider kernels) {
    if (token < 0 || fromBlock < 0 || toBlock > blocks || (token + 1) * stride > values.length) {
      throw new IllegalArgumentException("blocks " + fromBlock + " to " + toBlock + " of token " + token + " are outside");
    }
    kernels.quantize(this, token * blocks + fromBlock, token * blocks + toBlock);
  }

  /** Keeps what takes the offsets of weights out of a block's products; sums of the low and the high halves of its first and its last eight pairs. */
  void offsets(int block, int low0, int high0, int low1, int high1) {
    sums[block] = scales[block] * (low0 + high0 + low1 + high1);
    nibbleOffsets[block] = pair(-8 * (low0 + low1), -8 * (high0 + high1));
    sixBitOffsets[2 * block] = pair(-32 * low0, -32 * high0);
    sixBitOffsets[2 * block + 1] = pair(-32 * low1, -32 * high1);
  }

  /** What values are multiplied by; 0 for vectors of zeros and those below 2^-121, whose inverse overflows: they count as zero. */
  static float inverse(float largest) {
    float inverse = largest == 0 ? 0 : LARGEST / largest;
    return inverse > Float.MAX_VALUE ? 0 : inverse;
  }

  /** Two shorts in an int, the first one low. */
  static int pair(int low, int high) {
    return low & 0xffff | high << 16;
  }
}
