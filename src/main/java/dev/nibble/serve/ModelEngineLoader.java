package dev.nibble.serve;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineObserver;
import dev.nibble.engine.EngineOptions;
import dev.nibble.engine.NanoClock;
import dev.nibble.engine.SequentialEngine;
import dev.nibble.format.Printable;
import dev.nibble.format.pack.PackCache;
import dev.nibble.model.DecoderLoader;
import dev.nibble.model.MemoryPlan;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.offload.OffloadingEngine;
import dev.nibble.runtime.ModelIdentity;
import dev.nibble.runtime.ModelOpener;
import dev.nibble.serve.api.EngineLoader;
import dev.nibble.serve.api.RequestStatistics;
import dev.nibble.serve.api.ServeConfig;
import dev.nibble.serve.metrics.EngineMetrics;
import dev.nibble.serve.metrics.OffloadMetrics;
import jakarta.annotation.PreDestroy;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.eclipse.microprofile.config.Config;
import org.jboss.logging.Logger;

/** Loads the model that the configuration names. */
@Singleton
final class ModelEngineLoader implements EngineLoader {
  private static final Logger LOG = Logger.getLogger(ModelEngineLoader.class);
  private static final long PROGRESS_NANOS = 2_000_000_000L; // loads below two seconds need no progress line

  private final Config settings;
  private final EngineMetrics metrics;
  private final OffloadMetrics offloadMetrics;
  private final RequestStatistics statistics;
  private ModelOpener opener; // made with the first model, when settings are known to be right

  @Inject
  ModelEngineLoader(Config settings, EngineMetrics metrics, OffloadMetrics offloadMetrics, RequestStatistics statistics) {
    this.settings = settings;
    this.metrics = metrics;
    this.offloadMetrics = offloadMetrics;
    this.statistics = statistics;
  }

  @Override
  public Engine load(ServeConfig config) throws IOException {
    SettingsCheck.require(settings);
    KvCacheOptions cache = KvCacheOptions.of(config.kv().keys(), config.kv().values(), config.kv().residual(), config.kv().rotate())
        .within(config.kv().memory());
    long start = System.nanoTime();
    ModelOpener.Opened opened = opener(config).open(config.model().map(Path::of), config.modelName(), cache, packs(config),
        new LoadingLog(start + PROGRESS_NANOS, cache.memoryLimit()));
    LOG.infof("Loaded %s in %d ms on %d threads.", opened.info().name(), (System.nanoTime() - start) / 1_000_000, opened.loaded().threads());
    opened.tokenizer().remarks().forEach(LOG::warn);
    opened.tokenizer().whyNoChat().ifPresent(why -> LOG.warnf("%s can't answer conversations: %s. Chat requests are refused; completions work.", opened.info().name(), why));
    LOG.infof("Kernels: %s.", opened.kernelChoice());
    opened.kernelComplaint().ifPresent(complaint -> LOG.warnf("Kernels: %s.", complaint));
    EngineOptions options = new EngineOptions(config.queueCapacity());
    EngineObserver observer = statistics.observe(opened.info().name(), metrics.observe(opened.info()));
    SequentialEngine local = new SequentialEngine(opened.info(), opened.loaded().model(), opened.tokenizer(), options, observer, NanoClock.SYSTEM, opened::close);
    metrics.publish(local, opened.kernels(), opened.vectorBits(), opened.loaded().threads());
    metrics.publishKernels(opened.info(), opened.kernelReasons());
    if (config.offload().targets().isEmpty()) {
      return local;
    }
    return new OffloadingEngine(local, () -> ModelIdentity.of(config.model().map(Path::of)), config.offload().settings(), observer, offloadMetrics);
  }

  private synchronized ModelOpener opener(ServeConfig config) {
    if (opener == null) {
      opener = new ModelOpener(config.threads());
    }
    return opener;
  }

  /** Engines have ended by then: that is what the program's end begins with. */
  @PreDestroy
  synchronized void close() {
    if (opener != null) {
      opener.close();
    }
  }

  /** Says how memory is shared out, and how far a long loading has come. */
  private static final class LoadingLog implements DecoderLoader.Progress {
    private final long cached; // most bytes of keys and values
    private long next;

    LoadingLog(long next, long cached) {
      this.next = next;
      this.cached = cached;
    }

    @Override
    public void remark(String sentence) {
      LOG.warn(Printable.message(sentence));
    }

    @Override
    public void planned(MemoryPlan plan) {
      LOG.infof("Memory: %s, of which keys and values at most %d.", plan, cached >> 20);
      plan.complaint().ifPresent(LOG::warn);
      if (cached > plan.heap()) {
        LOG.warnf("Keys and values may take %d MB (nibble.kv.memory), but the heap that they are in has %d.", cached >> 20, plan.heap() >> 20);
      }
    }

    @Override
    public void packed(long bytes, long total) {
      if (System.nanoTime() - next >= 0) {
        next += PROGRESS_NANOS;
        LOG.infof("Loading: %d of %d MB.", bytes / 1_000_000, total / 1_000_000);
      }
    }
  }

  private static Optional<PackCache> packs(ServeConfig config) {
    return config.packCache().map(folder -> new PackCache(Path.of(folder), new PackCache.Log() {
      @Override
      public void note(String sentence) {
        LOG.info(sentence);
      }

      @Override
      public void warn(String sentence) {
        LOG.warn(sentence);
      }
    }));
  }
}
