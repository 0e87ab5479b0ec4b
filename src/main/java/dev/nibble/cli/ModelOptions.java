package dev.nibble.cli;

import dev.nibble.engine.ModelOpener;
import dev.nibble.format.pack.PackCache;
import dev.nibble.model.kvcache.KvCacheOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import picocli.CommandLine.Option;

/** Which model, and what computes: options of every command that runs one. */
final class ModelOptions {
  /** More threads than any gateway has; a typing error beyond it must not start thousands. */
  static final int MOST_THREADS = 1024;

  @Option(names = "--model", paramLabel = "FILE", description = "GGUF or packed file; without, the embedded model nibble-home.")
  private Path model;

  @Option(names = "--threads", paramLabel = "N", description = "Threads that compute; default one a physical core.")
  private Integer threads;

  @Option(names = "--kv-keys", paramLabel = "F", description = "KV cache's keys: 8, 4 or 2 bits, f16, f32; default 8.")
  private String keys;

  @Option(names = "--kv-values", paramLabel = "F", description = "KV cache's values, likewise; default 8, or 4 for models above 2 billion parameters.")
  private String values;

  @Option(names = "--kv-residual", paramLabel = "N", description = "Tokens before the open page of 64 that stay exact in the KV cache; default 64.")
  private Integer residual;

  @Option(names = "--kv-rotate", description = "Rotate keys before quantising them, which makes 4 bits better.")
  private boolean rotate;

  @Option(names = "--kv-memory", paramLabel = "SIZE", description = "Most memory for the KV cache, such as 64M or 2G; default half of the heap.")
  private String memory;

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

  /** What is said about the KV cache. */
  KvCacheOptions cache() {
    if (residual != null && !KvCacheOptions.isResidual(residual)) {
      throw new IllegalArgumentException("--kv-residual is " + residual + "; allowed: 0 to " + KvCacheOptions.MOST_RESIDUAL);
    }
    if (memory != null && KvCacheOptions.memory(memory).isEmpty()) {
      throw new IllegalArgumentException("--kv-memory is " + memory + "; allowed: " + KvCacheOptions.MEMORY);
    }
    return KvCacheOptions.of(cacheFormat("--kv-keys", keys), cacheFormat("--kv-values", values),
        residual == null ? KvCacheOptions.DEFAULT.residual() : residual, rotate)
        .within(Optional.ofNullable(memory));
  }

  private static Optional<String> cacheFormat(String option, String name) {
    if (name != null && !KvCacheOptions.isFormat(name)) {
      throw new IllegalArgumentException(option + " is " + name + "; allowed: " + KvCacheOptions.FORMATS);
    }
    return Optional.ofNullable(name);
  }

  /** The settings that say the same as the options given about the KV cache. */
  Map<String, String> cacheSettings() {
    cache(); // refuses what can't be used in the options' names
    Map<String, String> settings = new LinkedHashMap<>();
    if (keys != null) {
      settings.put("nibble.kv.keys", keys);
    }
    if (values != null) {
      settings.put("nibble.kv.values", values);
    }
    if (residual != null) {
      settings.put("nibble.kv.residual", residual.toString());
    }
    if (rotate) {
      settings.put("nibble.kv.rotate", "true");
    }
    if (memory != null) {
      settings.put("nibble.kv.memory", memory);
    }
    return settings;
  }

  /** Has a native executable's heap fit beside the model; the process may begin anew for that. */
  void fitHeap() {
    HeapLimit.require(ModelOpener.fittingPlan(model()));
  }

  /** Opens the model, with a progress line if that takes long, and says on standard error what it must do without. */
  ModelOpener.Opened open() throws IOException {
    fitHeap();
    ProgressLine progress = new ProgressLine("loading");
    ModelOpener.Opened opened = ModelOpener.open(model(), Optional.empty(), threads(), cache(), packCache().map(ModelOptions::packs), progress::show);
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
