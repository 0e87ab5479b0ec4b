package dev.nibble.quant;

import dev.nibble.tensor.TensorFormat;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** How a model's matrices are to be stored. Vectors (norms) always stay F32. */
public enum QuantizationScheme {
  /** 4.5 bits a weight. */
  Q4_0(TensorFormat.Q4_0, 2),
  /** 8.5 bits a weight. */
  Q8_0(TensorFormat.Q8_0, 7),
  F16(TensorFormat.F16, 1),
  /** Exact for every source. */
  F32(TensorFormat.F32, 0);

  private final TensorFormat format;
  private final int fileType;

  QuantizationScheme(TensorFormat format, int fileType) {
    this.format = format;
    this.fileType = fileType;
  }

  /** Format of the matrices. */
  public TensorFormat format() {
    return format;
  }

  /** The number {@code general.file_type} has in GGUF. */
  public int fileType() {
    return fileType;
  }

  /**
   * A scheme by name, in any case.
   *
   * @throws IllegalArgumentException naming the schemes there are
   */
  public static QuantizationScheme parse(String text) {
    for (QuantizationScheme scheme : values()) {
      if (scheme.name().equalsIgnoreCase(text.strip())) {
        return scheme;
      }
    }
    throw new IllegalArgumentException("unknown quantization scheme \"" + text + "\"; known: "
        + Arrays.stream(values()).map(scheme -> scheme.name().toLowerCase(Locale.ROOT)).collect(Collectors.joining(", ")));
  }
}
