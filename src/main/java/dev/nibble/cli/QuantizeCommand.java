package dev.nibble.cli;

import dev.nibble.format.InputFile;
import dev.nibble.quant.GgufConverter;
import dev.nibble.quant.HuggingFaceModel;
import dev.nibble.quant.Llama2cModel;
import dev.nibble.quant.ModelSource;
import dev.nibble.quant.QuantizationReport;
import dev.nibble.quant.QuantizationScheme;
import dev.nibble.runtime.ModelOpener;
import dev.nibble.runtime.ModelTrial;
import dev.nibble.tokenizer.GgufVocabulary;
import dev.nibble.tokenizer.HuggingFaceTokenizer;
import dev.nibble.tokenizer.Llama2cVocabulary;
import dev.nibble.tokenizer.Vocabulary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Converts and quantises a model. */
@Command(name = "quantize", description = "Converts a Hugging Face folder or llama2.c checkpoint to a quantised GGUF file.", mixinStandardHelpOptions = true)
final class QuantizeCommand implements Callable<Integer> {
  @Option(names = "--in", required = true, paramLabel = "DIR|FILE", description = "Hugging Face folder of a Llama, or llama2.c .bin.")
  private Path in;

  @Option(names = "--out", required = true, paramLabel = "FILE", description = "GGUF file to write.")
  private Path out;

  @Option(names = "--scheme", required = true, paramLabel = "NAME", description = "q4_0, q8_0, f16 or f32; round to nearest.")
  private String scheme;

  @Option(names = "--tokenizer", paramLabel = "FILE", description = "llama2.c tokenizer; default tokenizer.bin or tok512.bin beside --in.")
  private Path tokenizer;

  @Option(names = "--force", description = "Replace OUT if it exists.")
  private boolean force;

  @Override
  public Integer call() throws IOException {
    QuantizationScheme wanted = QuantizationScheme.parse(scheme);
    boolean directory = Files.isDirectory(in);
    if (!directory) {
      InputFile.require(in);
    }
    Optional<Path> words = directory ? Optional.empty() : Optional.ofNullable(tokenizer).or(() -> Llama2cModel.tokenizerBeside(in));
    TargetFile.require(out, force, words.map(file -> new Path[] {in, file}).orElse(new Path[] {in}));
    ModelSource source = directory ? HuggingFaceModel.open(in) : Llama2cModel.open(in);
    Vocabulary vocabulary = directory ? HuggingFaceTokenizer.read(in, source.vocabularySize())
        : Llama2cVocabulary.read(words.orElseThrow(() -> new IOException("no tokenizer.bin beside " + in + "; name it with --tokenizer")));
    if (vocabulary.tokens().size() > source.vocabularySize()) {
      throw new IOException("the tokenizer of " + words.orElse(in) + " has " + vocabulary.tokens().size() + " tokens, the model only " + source.vocabularySize());
    }
    ProgressLine progress = new ProgressLine("quantising");
    ModelTrial.Outcome[] trial = new ModelTrial.Outcome[1];
    QuantizationReport report;
    try (ModelOpener opener = new ModelOpener(OptionalInt.empty())) {
      report = GgufConverter.quantize(source, out, wanted, GgufVocabulary.write(vocabulary), file -> trial[0] = opener.tryOut(file),
          (done, total, tensor) -> progress.show(done, total));
    }
    progress.clear();
    if (trial[0] == ModelTrial.Outcome.TOO_LARGE) {
      System.err.println("nibble: " + out + " was checked, but not run: its weights are larger than the memory that is free here");
    }
    report.fallbacks().forEach(fallback ->
        System.err.println("nibble: " + fallback.tensor() + " is stored as " + fallback.used() + ": " + fallback.reason()));
    System.out.printf(Locale.ROOT, "%s: %,d parameters, %.3f bits per weight, %,d bytes%n", out, report.parameters(), report.bitsPerWeight(), report.fileBytes());
    report.tensors().stream().filter(tensor -> tensor.meanSquaredError() > 0)
        .min(java.util.Comparator.comparingDouble(QuantizationReport.TensorReport::signalToNoiseDecibels))
        .ifPresent(worst -> System.out.printf(Locale.ROOT, "largest error: %s, signal to noise %.1f dB%n", worst.name(), worst.signalToNoiseDecibels()));
    return 0;
  }
}
