package dev.nibble.cli;

import dev.nibble.format.pack.PackCache;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.runtime.ModelOpener;
import dev.nibble.serve.api.Settings;
import dev.nibble.serve.config.Setting;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import picocli.CommandLine.Option;

/** Which model, and what computes: options of every command that runs one. */
final class ModelOptions {
  @Option(names = "--model", paramLabel = "FILE", descriptionKey = "nibble.model")
  private Path model;

  @Option(names = "--threads", paramLabel = "N", descriptionKey = "nibble.threads")
  private Integer threads;

  @Option(names = "--kv-keys", paramLabel = "F", descriptionKey = "nibble.kv.keys")
  private String keys;

  @Option(names = "--kv-values", paramLabel = "F", descriptionKey = "nibble.kv.values")
  private String values;

  @Option(names = "--kv-residual", paramLabel = "N", descriptionKey = "nibble.kv.residual")
  private Integer residual;

  @Option(names = "--kv-rotate", descriptionKey = "nibble.kv.rotate")
  private boolean rotate;

  @Option(names = "--kv-memory", paramLabel = "SIZE", descriptionKey = "nibble.kv.memory")
  private String memory;

  @Option(names = "--pack-cache", paramLabel = "DIR", descriptionKey = "nibble.pack-cache")
  private Path packCache;

  Optional<Path> model() {
    return Optional.ofNullable(model);
  }

  Optional<Path> packCache() {
    return Optional.ofNullable(packCache);
  }

  /** Empty where the option was not given. */
  OptionalInt threads() {
    return threads == null ? OptionalInt.empty() : OptionalInt.of(Settings.THREADS.read("--threads", threads.toString()));
  }

  /** What is said about the KV cache. */
  KvCacheOptions cache() {
    return KvCacheOptions.of(Optional.ofNullable(keys).map(format -> Settings.KV_KEYS.read("--kv-keys", format)),
        Optional.ofNullable(values).map(format -> Settings.KV_VALUES.read("--kv-values", format)),
        residual == null ? Settings.KV_RESIDUAL.value().orElseThrow() : Settings.KV_RESIDUAL.read("--kv-residual", residual.toString()), rotate)
        .within(Optional.ofNullable(memory).map(size -> Settings.KV_MEMORY.read("--kv-memory", size)));
  }

  /** The settings that say the same as the options given. */
  Map<String, String> settings() {
    cache(); // refuses what can't be used in the options' names
    Map<String, String> settings = new LinkedHashMap<>();
    put(settings, Settings.MODEL, model);
    put(settings, Settings.PACK_CACHE, packCache);
    threads().ifPresent(number -> put(settings, Settings.THREADS, number));
    put(settings, Settings.KV_KEYS, keys);
    put(settings, Settings.KV_VALUES, values);
    put(settings, Settings.KV_RESIDUAL, residual);
    put(settings, Settings.KV_ROTATE, rotate ? true : null);
    put(settings, Settings.KV_MEMORY, memory);
    return settings;
  }

  private static void put(Map<String, String> settings, Setting<?> setting, Object value) {
    if (value != null) {
      settings.put(setting.name(), value.toString());
    }
  }

  /** Has a native executable's heap fit beside the model; the process may begin anew for that. */
  void fitHeap() {
    HeapLimit.require(ModelOpener.fittingPlan(model()));
  }

  /** What opens the model: to be closed after it. */
  ModelOpener opener() {
    fitHeap(); // before there are threads
    return new ModelOpener(threads());
  }

  /** Opens the model, with a progress line if that takes long, and says on standard error what it must do without. */
  ModelOpener.Opened open(ModelOpener opener) throws IOException {
    ProgressLine progress = new ProgressLine("loading");
    ModelOpener.Opened opened = opener.open(model(), Optional.empty(), cache(), packCache().map(ModelOptions::packs), progress::show);
    progress.clear();
    opened.kernelComplaint().ifPresent(complaint -> System.err.println("nibble: " + complaint));
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
