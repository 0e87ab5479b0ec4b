package dev.nibble.kernel;

/**
 * Input vectors of matrix products: tokens × columns as floats, and beside them as int8 with a scale and a sum for every 32. Rows are padded
 * with zeros to whole blocks of 32.
 */
public final class Activations {
  /** Inputs that share a scale: as many as a block of Q4_0 and Q8_0 has. */
  public static final int BLOCK = 32;
  /** 1.5 × 2^23: adding it to a float of magnitude below 2^22 rounds to an integer, halves to even, and leaves it in the low bits. */
  private static final float ROUND = 12582912f;

  private final int columns;
  private final int stride;
  final int blocks;
  final float[] values; // [token][stride]
  final short[] quants; // [token][stride], -127 to 127
  final float[] scales; // [token][blocks]
  final int[] sums; // [token][blocks], of quants

  /** @param tokens most vectors held at a time */
  public Activations(int tokens, int columns) {
    this.columns = columns;
    blocks = (columns + BLOCK - 1) / BLOCK;
    stride = blocks * BLOCK;
    values = new float[Math.multiplyExact(tokens, stride)];
    quants = new short[values.length];
    scales = new float[tokens * blocks];
    sums = new int[tokens * blocks];
  }

  public int columns() {
    return columns;
  }

  /** Distance of two tokens' vectors in {@link #values}. */
  public int stride() {
    return stride;
  }

  /** The vectors: [token][stride]. Writers call {@link #quantize} before integer products read them. */
  public float[] values() {
    return values;
  }

  /** Rounds a token's vector to int8, block by block: scale = largest magnitude / 127, halves to even. */
  public void quantize(int token) {
    for (int block = 0; block < blocks; block++) {
      int from = token * stride + block * BLOCK;
      float largest = 0;
      for (int i = 0; i < BLOCK; i++) {
        largest = Math.max(largest, Math.abs(values[from + i]));
      }
      float inverse = largest == 0 ? 0 : 127f / largest;
      // Below 2^-121 the inverse overflows: such vectors count as zero.
      inverse = inverse > Float.MAX_VALUE ? 0 : inverse;
      int sum = 0;
      for (int i = 0; i < BLOCK; i++) {
        int quant = Float.floatToRawIntBits(values[from + i] * inverse + ROUND) - Float.floatToRawIntBits(ROUND);
        quants[from + i] = (short) quant;
        sum += quant;
      }
      scales[token * blocks + block] = largest / 127f;
      sums[token * blocks + block] = sum;
    }
  }
}
