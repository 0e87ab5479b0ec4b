package dev.nibble.cli;

import dev.nibble.engine.ModelOpener;
import dev.nibble.format.pack.PackCache;
import dev.nibble.model.kvcache.KvCacheFormat;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import picocli.CommandLine.Option;

/** Which model, and what computes: options of every command that runs one. */
final class ModelOptions {
  /** More threads than any gateway has; a typing error beyond it must not start thousands. */
  private static final int MOST_THREADS = 1024;

  @Option(names = "--model", paramLabel = "FILE", description = "GGUF or packed file; without, the embedded model nibble-home.")
  private Path model;

  @Option(names = "--threads", paramLabel = "N", description = "Threads that compute; default one a physical core.")
  private Integer threads;

  @Option(names = "--pack-cache", paramLabel = "DIR", description = "Folder that keeps the packed form of GGUF files, made on first use; default none.")
  private Path packCache;

  Optional<Path> model() {
    return Optional.ofNullable(model);
  }

  Optional<Path> packCache() {
    return Optional.ofNullable(packCache);
  }

  /** Empty where the option was not given. */
  OptionalInt threads() {
    if (threads == null) {
      return OptionalInt.empty();
    }
    if (threads < 1 || threads > MOST_THREADS) {
      throw new IllegalArgumentException("--threads is " + threads + "; allowed: 1 to " + MOST_THREADS);
    }
    return OptionalInt.of(threads);
  }

  /** Opens the model, with a progress line if that takes long, and says on standard error what it must do without. */
  ModelOpener.Opened open() throws IOException {
    ProgressLine progress = new ProgressLine("loading");
    ModelOpener.Opened opened = ModelOpener.open(model(), Optional.empty(), threads(), KvCacheFormat.INT8, packCache().map(ModelOptions::packs), progress::show);
    progress.clear();
    String reason = opened.loaded().kernels().reason();
    if (!reason.isEmpty()) {
      System.err.println("nibble: matrix products run without vectors, many times slower: " + reason);
    }
    return opened;
  }

  private static PackCache packs(Path folder) {
    return new PackCache(folder, new PackCache.Log() {
      @Override
      public void note(String sentence) {
        System.err.println("nibble: " + sentence);
      }

      @Override
      public void warn(String sentence) {
        System.err.println("nibble: " + sentence);
      }
    });
  }
}
