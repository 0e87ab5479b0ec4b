package dev.nibble.quant;

import dev.nibble.tensor.TensorFormat;
import java.util.List;

/**
 * What a conversion did.
 *
 * @param scheme what was asked for
 * @param tensors every tensor, in the file's order
 * @param fallbacks matrices that could not have the scheme's format
 * @param fileBytes size of the file written
 */
public record QuantizationReport(QuantizationScheme scheme, List<TensorReport> tensors, List<Fallback> fallbacks, long fileBytes) {
  public QuantizationReport {
    tensors = List.copyOf(tensors);
    fallbacks = List.copyOf(fallbacks);
  }

  /** Weights in all tensors. */
  public long parameters() {
    return tensors.stream().mapToLong(TensorReport::elements).sum();
  }

  /** Bytes of all tensors' data. */
  public long tensorBytes() {
    return tensors.stream().mapToLong(TensorReport::bytes).sum();
  }

  /** Average over all tensors, vectors and fallbacks included. */
  public double bitsPerWeight() {
    return 8.0 * tensorBytes() / parameters();
  }

  /**
   * One tensor and what rounding cost it.
   *
   * @param shape outermost dimension first
   * @param meanSquaredError of the stored weights against the source's
   * @param meanSquare of the source's weights
   */
  public record TensorReport(
      String name, List<Long> shape, TensorFormat format, long elements, long bytes, double meanSquaredError, double meanSquare) {
    public TensorReport {
      shape = List.copyOf(shape);
    }

    /** 10 log10(signal / noise); infinite where nothing was lost. */
    public double signalToNoiseDecibels() {
      return meanSquaredError == 0 ? Double.POSITIVE_INFINITY : 10 * Math.log10(meanSquare / meanSquaredError);
    }
  }

  /** A matrix stored in another format than the scheme's, and why. */
  public record Fallback(String tensor, TensorFormat wanted, TensorFormat used, String reason) {}
}
