package dev.nibble.quant;

import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.quant.QuantizationReport.Fallback;
import dev.nibble.quant.QuantizationReport.TensorReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes a model as a GGUF file, with its matrices in a scheme's format. */
public final class GgufConverter {
  private GgufConverter() {}

  /** Told of each tensor once it is written. */
  @FunctionalInterface
  public interface Progress {
    void written(int done, int total, TensorReport tensor);
  }

  /**
   * Converts a model.
   *
   * @param tokenizer the {@code tokenizer.*} metadata to store
   * @param check of the file on the disk, before it gets its name
   * @throws InvalidWeightException for a weight that is not finite, or too large for the format
   * @throws IOException if reading or writing fails, the check fails, or {@code out} is the source itself
   */
  public static QuantizationReport quantize(
      ModelSource source, Path out, QuantizationScheme scheme, Map<String, GgufValue> tokenizer, ModelFile.Check check, Progress progress) throws IOException {
    if (Files.exists(out) && Files.isSameFile(out, source.weightsFile())) {
      throw new IOException("the output " + out + " is the source itself");
    }
    GgufWriter writer = new GgufWriter();
    metadata(source, scheme).forEach(writer::metadata);
    tokenizer.forEach(writer::metadata);
    List<SourceTensor> tensors = source.tensors();
    List<TensorReport> reports = new ArrayList<>();
    List<Fallback> fallbacks = new ArrayList<>();
    for (SourceTensor tensor : tensors) {
      TensorQuantizer quantizer = new TensorQuantizer(tensor, scheme);
      quantizer.fallback().ifPresent(fallbacks::add);
      long[] shape = tensor.vector() ? new long[] {tensor.columns()} : new long[] {tensor.columns(), tensor.rows()};
      writer.tensor(tensor.name(), shape, quantizer.format(), channel -> {
        try {
          quantizer.writeTo(channel);
        } catch (InvalidWeightException weight) {
          throw weight.in(source.weightsFile());
        }
        reports.add(quantizer.report());
        progress.written(reports.size(), tensors.size(), reports.getLast());
      });
    }
    writer.write(out, check);
    return new QuantizationReport(scheme, reports, fallbacks, Files.size(out));
  }

  private static Map<String, GgufValue> metadata(ModelSource source, QuantizationScheme scheme) {
    Map<String, GgufValue> metadata = new LinkedHashMap<>();
    source.metadata().forEach((key, value) -> {
      metadata.put(key, value);
      if (key.equals("general.architecture")) {
        metadata.put("general.name", GgufValue.text(source.name()));
        metadata.put("general.file_type", GgufValue.uint32(scheme.fileType()));
      }
    });
    return metadata;
  }
}
