package dev.nibble.kernel;

import java.util.Optional;

/**
 * A numeric format of tensor data as GGUF names it, with its block geometry. Matrices are stored row by row, each row
 * a whole number of blocks.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">GGUF specification</a>
 */
public enum NumericFormat {
  /** IEEE 754 binary32. */
  F32(0, 1, 4),
  /** IEEE 754 binary16. */
  F16(1, 1, 2),
  /** bfloat16: the upper half of a binary32. */
  BF16(30, 1, 2),
  /** 32 weights: one binary16 scale d, 16 bytes of nibbles; byte j holds weight j (low) and 16 + j (high); w = d (q - 8). 4.5 bits a weight. */
  Q4_0(2, 32, 18),
  /** 32 weights: one binary16 scale d, 32 signed bytes; w = d q. 8.5 bits a weight. */
  Q8_0(8, 32, 34),
  /** 256 weights: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed sub-scales, one binary16 d; w = d s (q - 32). 6.5625 bits a weight. */
  Q6_K(14, 256, 210);

  private final int ggufType;
  private final int blockSize;
  private final int blockBytes;

  NumericFormat(int ggufType, int blockSize, int blockBytes) {
    this.ggufType = ggufType;
    this.blockSize = blockSize;
    this.blockBytes = blockBytes;
  }

  /** The type number in a GGUF tensor table. */
  public int ggufType() {
    return ggufType;
  }

  /** Weights a block holds. */
  public int blockSize() {
    return blockSize;
  }

  /** Bytes a block takes. */
  public int blockBytes() {
    return blockBytes;
  }

  /** Average storage cost, scales included. */
  public double bitsPerWeight() {
    return 8.0 * blockBytes / blockSize;
  }

  /**
   * Bytes that {@code elements} weights take.
   *
   * @throws IllegalArgumentException if the count is not a whole number of blocks
   */
  public long bytes(long elements) {
    if (elements % blockSize != 0) {
      throw new IllegalArgumentException(elements + " elements are not a whole number of " + name() + " blocks of " + blockSize);
    }
    return Math.multiplyExact(elements / blockSize, blockBytes);
  }

  /** The format with this GGUF type number, if it is one that Nibble computes with. */
  public static Optional<NumericFormat> ofGgufType(int type) {
    for (NumericFormat format : values()) {
      if (format.ggufType == type) {
        return Optional.of(format);
      }
    }
    return Optional.empty();
  }
}
