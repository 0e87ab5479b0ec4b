package dev.nibble.tensor;

import java.util.Optional;
import java.util.function.Supplier;

/**
 * How a tensor's weights are stored: the one table of all that GGUF files carry. Matrices are stored row by row, each row a whole number of blocks. Names,
 * numbers and sizes are those of ggml's {@code ggml_type}; what the bits mean is told by each format's codec.
 *
 * @see <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">GGUF specification</a>
 */
public enum TensorFormat {
  F32(0, 1, 4, F32Codec::new),
  F16(1, 1, 2, F16Codec::new),
  Q4_0(2, 32, 18, Q40Codec::new),
  Q4_1(3, 32, 20, Q41Codec::new),
  Q5_0(6, 32, 22, Q50Codec::new),
  Q5_1(7, 32, 24, Q51Codec::new),
  Q8_0(8, 32, 34, Q80Codec::new),
  /** Holds rounded inputs, never weights: none of these is in a model file. */
  Q8_1(9, 32, 36, null),
  Q2_K(10, 256, 84, Q2KCodec::new),
  Q3_K(11, 256, 110, Q3KCodec::new),
  Q4_K(12, 256, 144, Q4KCodec::new),
  Q5_K(13, 256, 176, Q5KCodec::new),
  Q6_K(14, 256, 210, Q6KCodec::new),
  /** Holds rounded inputs, never weights. */
  Q8_K(15, 256, 292, null),
  IQ2_XXS(16, 256, 66, Iq2XxsCodec::new),
  IQ2_XS(17, 256, 74, Iq2XsCodec::new),
  IQ3_XXS(18, 256, 98, Iq3XxsCodec::new),
  IQ1_S(19, 256, 50, Iq1SCodec::new),
  IQ4_NL(20, 32, 18, Iq4NlCodec::new),
  IQ3_S(21, 256, 110, Iq3SCodec::new),
  IQ2_S(22, 256, 82, Iq2SCodec::new),
  IQ4_XS(23, 256, 136, Iq4XsCodec::new),
  /** Whole numbers and doubles: no weights of matrices. */
  I8(24, 1, 1, null),
  I16(25, 1, 2, null),
  I32(26, 1, 4, null),
  I64(27, 1, 8, null),
  F64(28, 1, 8, null),
  IQ1_M(29, 256, 56, Iq1MCodec::new),
  BF16(30, 1, 2, Bf16Codec::new),
  TQ1_0(34, 256, 54, Tq10Codec::new),
  TQ2_0(35, 256, 66, Tq20Codec::new),
  MXFP4(39, 32, 17, Mxfp4Codec::new),
  NVFP4(40, 64, 36, Nvfp4Codec::new),
  Q1_0(41, 128, 18, Q10Codec::new),
  Q2_0(42, 64, 18, Q20Codec::new);

  private final int ggufNumber;
  private final int blockSize;
  private final int blockBytes;
  private final Supplier<BlockCodec> codec; // null where there is none

  TensorFormat(int ggufNumber, int blockSize, int blockBytes, Supplier<BlockCodec> codec) {
    this.ggufNumber = ggufNumber;
    this.blockSize = blockSize;
    this.blockBytes = blockBytes;
    this.codec = codec;
  }

  /** The number in a GGUF file's table of tensors. */
  public int ggufNumber() {
    return ggufNumber;
  }

  /** Weights that a block holds. */
  public int blockSize() {
    return blockSize;
  }

  /** Bytes that a block takes. */
  public int blockBytes() {
    return blockBytes;
  }

  /** Average cost of a weight, scales included. */
  public double bitsPerWeight() {
    return 8.0 * blockBytes / blockSize;
  }

  /**
   * Bytes that {@code elements} weights take.
   *
   * @throws IllegalArgumentException if the count is not a whole number of blocks
   * @throws ArithmeticException if they are more than a long holds
   */
  public long bytes(long elements) {
    if (elements % blockSize != 0) {
      throw new IllegalArgumentException(elements + " elements are not a whole number of " + name() + " blocks of " + blockSize);
    }
    return Math.multiplyExact(elements / blockSize, blockBytes);
  }

  /** Whether its blocks hold weights that {@link #codec} reads. */
  public boolean hasCodec() {
    return codec != null;
  }

  /**
   * A codec of the caller's own, which makes its tables: to be kept while rows are read.
   *
   * @throws IllegalArgumentException for a format of no weights
   */
  public BlockCodec codec() {
    if (codec == null) {
      throw new IllegalArgumentException(name() + " holds no weights");
    }
    BlockCodec made = codec.get();
    assert made.format() == this && made.blockBytes() == blockBytes : name();
    return made;
  }

  /** As {@link #codec}, for writing. @throws IllegalArgumentException for a format that is only read */
  public BlockEncoder encoder() {
    if (codec() instanceof BlockEncoder encoder) {
      return encoder;
    }
    throw new IllegalArgumentException(name() + " can be read, but not written");
  }

  /** The format of a number in a GGUF file; empty for one that is not known. */
  public static Optional<TensorFormat> ofGgufNumber(int number) {
    for (TensorFormat format : values()) {
      if (format.ggufNumber == number) {
        return Optional.of(format);
      }
    }
    return Optional.empty();
  }
}
