package dev.nibble.cli;

import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.format.pack.PackFile;
import dev.nibble.runtime.ModelReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Tells what a model file holds. */
@Command(name = "inspect", description = "Tells what a model file holds, and what the model needs.", mixinStandardHelpOptions = true)
final class InspectCommand implements Callable<Integer> {
  /** Strangers' text may hold characters beyond ASCII that terminals take for commands. */
  private static final ObjectMapper JSON = JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

  @Parameters(paramLabel = "FILE", description = "GGUF file, the first of several, packed file, or Hugging Face folder.")
  private Path file;

  @Option(names = "--json", description = "One line of JSON.")
  private boolean json;

  @Option(names = "--verify", description = "Instead: reads all of a packed file, and compares every section with its checksum.")
  private boolean verify;

  @Override
  public Integer call() throws IOException {
    if (verify) {
      return verify(file);
    }
    ModelReport report = ModelReport.of(file);
    System.out.println(json ? JSON.writeValueAsString(report.toJson()) : report.toText().stripTrailing());
    return 0;
  }

  private static int verify(Path file) throws IOException {
    try (ModelFile model = PackFile.openAny(file)) {
      if (!(model instanceof PackFile pack)) {
        throw new IllegalArgumentException(model.name() + " is no packed file: only those have checksums to verify");
      }
      System.out.println(pack.name() + ": all of its " + pack.verify() + " sections are as they were packed");
    }
    return 0;
  }
}
