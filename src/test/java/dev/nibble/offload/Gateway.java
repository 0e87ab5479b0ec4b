package dev.nibble.offload;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.engine.EngineObserver;
import dev.nibble.engine.EngineOptions;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.NanoClock;
import dev.nibble.engine.OffloadPolicy;
import dev.nibble.engine.RecordingListener;
import dev.nibble.engine.SamplingParameters;
import dev.nibble.engine.SequentialEngine;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.runtime.ModelIdentity;
import dev.nibble.runtime.ModelOpener;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** The embedded model with accelerators, without a service around it. */
final class Gateway implements AutoCloseable {
  static final int TOKENS = 40;

  /** What metrics would count. */
  final List<String> heard = Collections.synchronizedList(new ArrayList<>());

  final SequentialEngine local;
  final OffloadingEngine engine;

  Gateway(OffloadSettings settings) throws IOException {
    this(settings, EngineObserver.NONE, () -> {});
  }

  /** @param broken runs when something of offloading is observed */
  Gateway(OffloadSettings settings, EngineObserver requests, Runnable broken) throws IOException {
    this(settings, requests, broken, NanoClock.SYSTEM);
  }

  /** @param clock tells how long accelerators that failed are left alone */
  Gateway(OffloadSettings settings, NanoClock clock) throws IOException {
    this(settings, EngineObserver.NONE, () -> {}, clock);
  }

  private Gateway(OffloadSettings settings, EngineObserver requests, Runnable broken, NanoClock clock) throws IOException {
    ModelOpener.Opened opened = new ModelOpener(OptionalInt.of(1)).open(Optional.empty(), Optional.empty(), KvCacheOptions.DEFAULT, (bytes, total) -> {});
    local = new SequentialEngine(opened.info(), opened.loaded().model(), opened.tokenizer(), EngineOptions.DEFAULT);
    engine = new OffloadingEngine(local, () -> ModelIdentity.of(Optional.empty()), settings, requests, new OffloadObserver() {
      @Override
      public void decided(OffloadPolicy policy, boolean accelerator) {
        broken.run();
      }

      @Override
      public void looked(List<AcceleratorStatus> accelerators) {
        broken.run();
      }

      @Override
      public void answered(String accelerator, int tokens) {
        heard.add("nibble_offload_answers_total");
        broken.run();
      }

      @Override
      public void failed(String accelerator, FailureCause cause, boolean inAnswer) {
        heard.add("nibble_offload_failures_total{cause=\"" + cause.name().toLowerCase(java.util.Locale.ROOT) + "\",in_answer=\"" + inAnswer + "\"}");
        broken.run();
      }
    }, clock);
  }

  /** Times that no accelerator in order misses, however slow the machine is. */
  static OffloadSettings settings(String... targets) {
    return settings(Optional.empty(), targets);
  }

  static OffloadSettings settings(Optional<OffloadSettings.Tls> tls, String... targets) {
    return settings(tls, Duration.ofMinutes(1), Duration.ofSeconds(20), Duration.ofSeconds(40), targets);
  }

  /** Times that a test can wait for until a fault is noticed, which a slow machine may also miss where all is well. */
  static OffloadSettings hasty(String... targets) {
    return settings(Optional.empty(), Duration.ofMillis(1000), Duration.ofMillis(1500), Duration.ofMillis(2500), targets);
  }

  /** Between the two: silence is noticed in a time that a test can wait for, and nothing else is. */
  static OffloadSettings noticesSilence(String... targets) {
    return settings(Optional.empty(), Duration.ofMinutes(1), Duration.ofSeconds(3), Duration.ofSeconds(40), targets);
  }

  private static OffloadSettings settings(Optional<OffloadSettings.Tls> tls, Duration connect, Duration stall, Duration token, String... targets) {
    return new OffloadSettings(List.of(targets).stream().map(OffloadSettings.Target::of).toList(), OffloadPolicy.PREFER, tls, connect, Duration.ofMillis(100), stall, token,
        Duration.ofMillis(50), OptionalDouble.empty());
  }

  AcceleratorStatus status(int place) {
    return engine.accelerators().get(place);
  }

  void awaitState(int place, AcceleratorState state) throws InterruptedException {
    await(() -> state + ", but it is " + engine.accelerators(), () -> engine.accelerators().size() > place && status(place).state() == state);
  }

  static void await(String what, BooleanSupplier condition) throws InterruptedException {
    await(() -> what, condition);
  }

  private static void await(Supplier<String> what, BooleanSupplier condition) throws InterruptedException {
    long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - end).as(() -> "waited in vain for " + what.get()).isNegative();
      Thread.sleep(2);
    }
  }

  GenerationRequest request(OffloadPolicy policy, SamplingParameters sampling, List<String> stop) {
    return new GenerationRequest(local.tokenizer().encodeWithSpecials("Once upon a time", false), TOKENS, sampling, stop, 0, false, Long.MAX_VALUE)
        .withOffload(Optional.of(policy));
  }

  RecordingListener submit(OffloadPolicy policy) {
    return submit(request(policy, SamplingParameters.GREEDY, List.of()));
  }

  RecordingListener submit(GenerationRequest request) {
    RecordingListener listener = new RecordingListener();
    engine.submit(request, listener);
    return listener;
  }

  @Override
  public void close() {
    engine.close();
  }
}
