package dev.nibble.kernel.tile;

import dev.nibble.tensor.TensorFormat;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/** What a file's weights become in memory: the one place that knows formats and layouts. A new format is its codec, its row in the table, and a line here. */
public sealed interface TileMapping {
  /** Nothing is lost: rows of tiles are those of the file, bit for bit. */
  record Exact(TileLayout layout) implements TileMapping {}

  /** Something is lost. @param loss what, for people */
  record Rounded(TileLayout layout, String loss) implements TileMapping {}

  /** Nothing computes with it. @param reason for people */
  record None(String reason) implements TileMapping {}

  /** The mapping of a format. */
  static TileMapping of(TensorFormat format) {
    return switch (format) {
      case F32 -> new Exact(TileLayout.FLOAT);
      case F16 -> new Exact(TileLayout.HALF);
      case BF16 -> new Exact(TileLayout.BFLOAT);
      case Q4_0 -> new Exact(TileLayout.INT4_SYMMETRIC);
      case Q4_1 -> new Exact(TileLayout.INT4_AFFINE);
      case Q4_K -> new Rounded(TileLayout.INT4_AFFINE, "the scale and the minimum of each 32 weights are rounded to FP16");
      case Q8_0, Q5_0, IQ4_NL, TQ1_0, TQ2_0, Q1_0, Q2_0 -> new Exact(TileLayout.INT8_SYMMETRIC);
      case Q6_K, Q3_K, IQ3_S -> new Exact(TileLayout.INT6_FACTORED);
      case IQ4_XS, IQ2_XXS, IQ3_XXS -> new Rounded(TileLayout.INT8_SYMMETRIC, "the scale of each 32 weights is rounded to FP16");
      case MXFP4 -> new Rounded(TileLayout.INT8_SYMMETRIC, "scales are kept in FP16: nothing is lost from 2^-23 to 2^16, smaller ones become 0");
      case NVFP4 -> new Rounded(TileLayout.INT6_FACTORED, "of two scales of 16 weights side by side, one that is below an eighth of the other is rounded");
      case IQ1_S, IQ1_M -> new Rounded(TileLayout.INT6_FACTORED, "scales of 256 weights below 2^-11 are rounded to multiples of 2^-21");
      case Q5_1, Q5_K, Q2_K, IQ2_XS, IQ2_S -> new Rounded(TileLayout.INT8_SYMMETRIC, "weights are rounded to 8 bits, with a scale for 32");
      case Q8_1, Q8_K, I8, I16, I32, I64, F64 -> new None("it holds no weights");
    };
  }

  /** The formats that can be computed with, for messages. */
  static String names() {
    return Arrays.stream(TensorFormat.values()).filter(format -> layoutOf(format).isPresent()).map(Enum::name).collect(Collectors.joining(", "));
  }

  /** The layout of a format; empty where there is none. */
  static Optional<TileLayout> layoutOf(TensorFormat format) {
    return switch (of(format)) {
      case Exact exact -> Optional.of(exact.layout);
      case Rounded rounded -> Optional.of(rounded.layout);
      case None none -> Optional.empty();
    };
  }

  /** The layout of a format that is known to have one. @throws IllegalArgumentException with the reason why there is none */
  static TileLayout require(TensorFormat format) {
    return switch (of(format)) {
      case Exact exact -> exact.layout;
      case Rounded rounded -> rounded.layout;
      case None none -> throw new IllegalArgumentException(format + " can't be computed with: " + none.reason);
    };
  }
}
