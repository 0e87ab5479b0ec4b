package dev.nibble.serve;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineObserver;
import dev.nibble.engine.EngineOptions;
import dev.nibble.engine.ModelOpener;
import dev.nibble.engine.SequentialEngine;
import dev.nibble.model.kvcache.KvCacheFormat;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import org.jboss.logging.Logger;

/** Loads the model that the configuration names. */
@Singleton
final class ModelEngineLoader implements EngineLoader {
  private static final Logger LOG = Logger.getLogger(ModelEngineLoader.class);
  private static final long PROGRESS_NANOS = 2_000_000_000L; // loads below two seconds need no progress line

  @Override
  public Engine load(ServeConfig config) throws IOException {
    KvCacheFormat cache = switch (config.kvCache().toLowerCase(Locale.ROOT)) {
      case "int8" -> KvCacheFormat.INT8;
      case "f32" -> KvCacheFormat.F32;
      default -> throw new IOException("nibble.kv-cache is \"" + config.kvCache() + "\"; allowed: int8, f32");
    };
    if (config.queueCapacity() < 1 || config.defaultMaxTokens() < 1) {
      throw new IOException("nibble.queue-capacity and nibble.default-max-tokens must be 1 or more");
    }
    if (config.threads().isPresent() && (config.threads().getAsInt() < 1 || config.threads().getAsInt() > 1024)) {
      throw new IOException("nibble.threads is " + config.threads().getAsInt() + "; allowed: 1 to 1024");
    }
    long start = System.nanoTime();
    long[] next = {start + PROGRESS_NANOS};
    ModelOpener.Opened opened = ModelOpener.open(config.model().map(Path::of), config.modelName(), config.threads(), cache, (bytes, total) -> {
      if (System.nanoTime() >= next[0]) {
        next[0] += PROGRESS_NANOS;
        LOG.infof("Loading: %d of %d MB.", bytes / 1_000_000, total / 1_000_000);
      }
    });
    LOG.infof("Loaded %s in %d ms on %d threads.", opened.info().name(), (System.nanoTime() - start) / 1_000_000, opened.loaded().threads());
    String reason = opened.loaded().kernels().reason();
    if (!reason.isEmpty()) {
      LOG.warnf("Matrix products run without vectors, many times slower: %s", reason);
    }
    return new SequentialEngine(opened.info(), opened.loaded().model(), opened.tokenizer(), new EngineOptions(config.queueCapacity()), EngineObserver.NONE);
  }
}
