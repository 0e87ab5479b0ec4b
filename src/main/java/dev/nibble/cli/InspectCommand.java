package dev.nibble.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.InspectReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Tells what a GGUF file holds. */
@Command(name = "inspect", description = "Tells what a GGUF file holds.", mixinStandardHelpOptions = true)
final class InspectCommand implements Callable<Integer> {
  @Parameters(paramLabel = "FILE", description = "GGUF file.")
  private Path file;

  @Option(names = "--json", description = "One line of JSON.")
  private boolean json;

  @Override
  public Integer call() throws IOException {
    InspectReport report = new InspectReport(GgufFile.open(file));
    System.out.println(json ? new ObjectMapper().writeValueAsString(report.toJson()) : report.toText().stripTrailing());
    return 0;
  }
}
