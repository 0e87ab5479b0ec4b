package dev.nibble.tensor;

/** Blocks of arbitrary bytes whose weights are finite. */
public final class RandomBlocks {
  private RandomBlocks() {}

  /** Clears a bit of the binary16 scales and the floats in the blocks, and keeps MXFP4's powers of two near 1, so that all is finite in binary16, too; returns them. */
  public static byte[] finite(TensorFormat format, byte[] blocks) {
    for (int place : exponents(format)) {
      for (int at = place; at < blocks.length; at += format.blockBytes()) {
        blocks[at] &= (byte) 0xbf;
      }
    }
    for (int at = 0; format == TensorFormat.MXFP4 && at < blocks.length; at += format.blockBytes()) {
      blocks[at] = (byte) (112 | blocks[at] & 15);
    }
    return blocks;
  }

  /** Bytes of a block that hold the high bits of a scale. */
  private static int[] exponents(TensorFormat format) {
    return switch (format) {
      case F32 -> new int[] {3};
      case F16, BF16, Q4_0, Q5_0, Q8_0, Q1_0, Q2_0, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ1_S, IQ4_NL, IQ4_XS -> new int[] {1};
      case Q4_1, Q5_1, Q4_K, Q5_K -> new int[] {1, 3};
      case Q2_K -> new int[] {81, 83};
      case Q3_K -> new int[] {109};
      case Q6_K -> new int[] {209};
      case IQ1_M -> new int[] {55};
      case TQ1_0 -> new int[] {53};
      case TQ2_0 -> new int[] {65};
      case MXFP4, NVFP4, Q8_1, Q8_K, I8, I16, I32, I64, F64 -> new int[0];
    };
  }
}
