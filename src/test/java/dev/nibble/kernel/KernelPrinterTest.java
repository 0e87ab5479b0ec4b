package dev.nibble.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The vector kernels of all widths are what their templates print. */
final class KernelPrinterTest {
  private final Map<Path, String> sources;

  KernelPrinterTest() throws IOException {
    sources = KernelPrinter.sources();
  }

  @Test
  void sourcesAreWhatTemplatesPrint() throws IOException {
    for (Map.Entry<Path, String> source : sources.entrySet()) {
      assertThat(source.getKey()).as("printed by %s", KernelPrinter.COMMAND).exists();
      assertThat(Files.readString(source.getKey())).as("%s, which is not edited: edit its template, and run %s", source.getKey(), KernelPrinter.COMMAND)
          .isEqualTo(source.getValue());
    }
  }

  /** A template that was renamed or lost a width leaves no file behind that looks as if it were printed. */
  @Test
  void nothingElseSaysItWasPrinted() throws IOException {
    List<Path> printed;
    try (Stream<Path> files = Files.list(KernelPrinter.SOURCES)) {
      printed = files.filter(file -> file.toString().endsWith(".java")).filter(KernelPrinterTest::saysSo).sorted().toList();
    }
    assertThat(printed).containsExactlyElementsOf(sources.keySet());
  }

  private static boolean saysSo(Path file) {
    try {
      return Files.readString(file).startsWith(KernelPrinter.HEADER);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
