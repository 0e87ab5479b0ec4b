package dev.nibble.cli;

import dev.nibble.format.gguf.GgufShards;
import dev.nibble.format.pack.PackFile;
import dev.nibble.runtime.ModelOpener;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Packs a model, so that it loads at once. */
@Command(name = "pack", description = "Writes a GGUF model as a packed file, which is mapped instead of loaded.", mixinStandardHelpOptions = true)
final class PackCommand implements Callable<Integer> {
  @Parameters(index = "0", paramLabel = "MODEL", description = "GGUF file; of a model in several, the first.")
  private Path source;

  @Parameters(index = "1", paramLabel = "OUT", description = "Packed file to write, such as model.nib.")
  private Path target;

  @Option(names = "--force", description = "Replace OUT if it exists.")
  private boolean force;

  @Override
  public Integer call() throws IOException {
    TargetFile.require(target, force, GgufShards.named(source).toArray(Path[]::new));
    if (PackFile.recognises(source)) {
      throw new IllegalArgumentException(source + " is packed already");
    }
    ProgressLine progress = new ProgressLine("packing");
    long start = System.nanoTime();
    long bytes;
    try (ModelOpener opener = new ModelOpener(OptionalInt.of(Runtime.getRuntime().availableProcessors()))) {
      bytes = opener.pack(source, target, progress::show);
    }
    progress.clear();
    System.out.printf(Locale.ROOT, "%s: %,d bytes, read back without a difference, in %.1f s%n", target, bytes, (System.nanoTime() - start) / 1e9);
    return 0;
  }
}
