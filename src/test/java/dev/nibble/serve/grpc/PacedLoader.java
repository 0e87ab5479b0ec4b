package dev.nibble.serve.grpc;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.EngineOptions;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.Generation;
import dev.nibble.engine.GenerationListener;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.GenerationResult;
import dev.nibble.engine.ModelInfo;
import dev.nibble.engine.SequentialEngine;
import dev.nibble.model.ForwardingModel;
import dev.nibble.model.LanguageModel;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.runtime.ModelOpener;
import dev.nibble.serve.api.EngineLoader;
import dev.nibble.serve.api.ServeConfig;
import dev.nibble.tokenizer.Tokenizer;
import io.quarkus.test.junit.QuarkusTestProfile;
import jakarta.enterprise.inject.Alternative;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

/** The embedded model, but a test decides when it is loaded, when each forward pass may happen, and what breaks. */
@Alternative
@Singleton
class PacedLoader implements EngineLoader {
  /** Has a service use it, with one place in the waiting line. */
  public static final class Profile implements QuarkusTestProfile {
    @Override
    public Set<Class<?>> getEnabledAlternatives() {
      return Set.of(PacedLoader.class);
    }

    @Override
    public Map<String, String> getConfigOverrides() {
      // The service's own requests would wait for permits as well.
      return Map.of("nibble.queue-capacity", "1", "nibble.ready.canary-interval", "0");
    }
  }

  final CountDownLatch mayLoad = new CountDownLatch(1);
  final Semaphore permits = new Semaphore(0);
  /** Canaries under way. */
  final AtomicInteger probes = new AtomicInteger();
  volatile RuntimeException passFailure; // null: none
  volatile boolean damaged; // other logits than the model's
  volatile RuntimeException submitFailure; // null: none
  volatile HeldTokenizer tokenizer; // null: not loaded yet
  volatile long secondsSinceStep = -1; // below 0: the engine's own
  volatile GenerationRequest submitted;
  volatile long submittedNanos;
  volatile boolean submittedOnVirtualThread;

  @Override
  public Engine load(ServeConfig config) throws IOException {
    try {
      mayLoad.await();
    } catch (InterruptedException interrupt) {
      throw new IOException(interrupt);
    }
    ModelOpener.Opened opened = new ModelOpener(OptionalInt.of(1)).open(Optional.empty(), Optional.empty(), KvCacheOptions.EXACT, (bytes, total) -> {});
    tokenizer = new HeldTokenizer(opened.tokenizer());
    return new WatchedEngine(
        new SequentialEngine(opened.info(), new ForwardingModel(opened.loaded().model(), this::pass), tokenizer, new EngineOptions(config.queueCapacity(), 256)));
  }

  /** Waits for a permit, and then does what a test has asked for. */
  private boolean pass(LanguageModel.Sequence sequence, int[] ids, int from, int count, float[] logits, BooleanSupplier stopped) {
    permits.acquireUninterruptibly();
    if (passFailure != null) {
      throw passFailure;
    }
    sequence.append(ids, from, count, logits);
    if (damaged && logits != null) {
      for (int i = 0; i < logits.length; i++) {
        logits[i] = -logits[i];
      }
    }
    return true;
  }

  private final class WatchedEngine implements Engine {
    private final Engine engine;

    WatchedEngine(Engine engine) {
      this.engine = engine;
    }

    @Override
    public ModelInfo model() {
      return engine.model();
    }

    @Override
    public Tokenizer tokenizer() {
      return engine.tokenizer();
    }

    @Override
    public Generation submit(GenerationRequest request, GenerationListener listener) {
      submitted = request;
      submittedNanos = System.nanoTime();
      submittedOnVirtualThread = Thread.currentThread().isVirtual();
      if (submitFailure != null) {
        throw submitFailure;
      }
      return engine.submit(request, listener);
    }

    @Override
    public void requireRoom(int ahead) {
      engine.requireRoom(ahead);
    }

    @Override
    public void countRefusal(EngineError reason) {
      engine.countRefusal(reason);
    }

    @Override
    public Optional<Generation> probe(GenerationRequest request, GenerationListener listener) {
      probes.incrementAndGet();
      Optional<Generation> begun = Optional.empty();
      try {
        begun = engine.probe(request, new GenerationListener() {
          @Override
          public void onToken(GeneratedToken token) {
            listener.onToken(token);
          }

          @Override
          public void onFinish(GenerationResult result) {
            listener.onFinish(result);
            probes.decrementAndGet();
          }

          @Override
          public void onError(EngineException error) {
            listener.onError(error);
            probes.decrementAndGet();
          }
        });
        return begun;
      } finally {
        if (begun.isEmpty()) {
          probes.decrementAndGet();
        }
      }
    }

    @Override
    public long nanosSinceStep() {
      long told = secondsSinceStep;
      return told < 0 ? engine.nanosSinceStep() : TimeUnit.SECONDS.toNanos(told);
    }

    @Override
    public int queueDepth() {
      return engine.queueDepth();
    }

    @Override
    public int running() {
      return engine.running();
    }

    @Override
    public long forwardPasses() {
      return engine.forwardPasses();
    }

    @Override
    public boolean alive() {
      return engine.alive();
    }

    @Override
    public boolean drain(Duration grace) {
      return engine.drain(grace);
    }

    @Override
    public void close() {
      engine.close();
    }
  }
}
