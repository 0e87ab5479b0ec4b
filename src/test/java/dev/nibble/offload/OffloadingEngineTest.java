package dev.nibble.offload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.EngineObserver;
import dev.nibble.engine.Generation;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.GenerationResult;
import dev.nibble.engine.OffloadPolicy;
import dev.nibble.engine.Placement;
import dev.nibble.engine.RecordingListener;
import dev.nibble.engine.SamplingParameters;
import dev.nibble.engine.TestClock;
import dev.nibble.offload.FaultySidecar.Fault;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A gateway with two accelerators. */
final class OffloadingEngineTest {
  private static final SamplingParameters WARM = new SamplingParameters(0.9f, 40, 0.95f, 0, 1.1f, 0.2f, 0.1f, Map.of(7, 1f), 4242);

  private FaultySidecar first;
  private FaultySidecar second;
  private Gateway gateway;

  @BeforeEach
  void start() throws Exception {
    first = new FaultySidecar();
    second = new FaultySidecar();
    begin(new Gateway(Gateway.settings(first.target(), second.target())));
  }

  private void begin(Gateway begun) throws Exception {
    gateway = begun;
    gateway.awaitState(0, AcceleratorState.READY);
    gateway.awaitState(1, AcceleratorState.READY);
  }

  @AfterEach
  void stop() throws Exception {
    gateway.close();
    first.close();
    second.close();
  }

  private FaultySidecar of(Placement placement) {
    return placement.accelerator().equals(first.target()) ? first : second;
  }

  @Test
  void offNeverAsks() throws Exception {
    RecordingListener listener = gateway.submit(OffloadPolicy.OFF);
    assertThat(listener.result().placement()).isEmpty();
    assertThat(first.generations() + second.generations()).isZero();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 7, 30})
  void samplingGoesOnWhereTheOtherBrokeOff(int after) throws Exception {
    GenerationRequest request = gateway.request(OffloadPolicy.OFF, WARM, List.of("zzz"));
    String expected = gateway.submit(request).text();
    gateway.close();
    begin(new Gateway(Gateway.noticesSilence(first.target(), second.target())));
    for (FaultySidecar sidecar : List.of(first, second)) {
      sidecar.after(after);
      sidecar.set(Fault.STALLS);
    }
    RecordingListener listener = gateway.submit(gateway.request(OffloadPolicy.PREFER, WARM, List.of("zzz")));
    assertThat(listener.text()).isEqualTo(expected);
    // Both stall after so many tokens of their own, the second one being given what came from the first.
    Placement placement = listener.result().placement().orElseThrow();
    assertThat(placement.acceleratorTokens()).isEqualTo(Math.min(2 * after, Gateway.TOKENS));
    assertThat(first.generations()).isEqualTo(1);
    assertThat(second.generations()).isEqualTo(1);
  }

  @Test
  void observersThatThrowHarmNoAnswer() throws Exception {
    String expected = gateway.submit(OffloadPolicy.OFF).text();
    gateway.close();
    EngineObserver broken = new EngineObserver() {
      @Override
      public void refused(EngineError reason) {
        throw new IllegalStateException("thrown by a test's observer");
      }

      @Override
      public void firstToken(double seconds) {
        refused(EngineError.INTERNAL);
      }

      @Override
      public void token(double seconds) {
        refused(EngineError.INTERNAL);
      }

      @Override
      public void finished(Outcome outcome, GenerationResult result) {
        refused(EngineError.INTERNAL);
      }
    };
    gateway = new Gateway(Gateway.noticesSilence(first.target(), second.target()), broken, () -> broken.refused(EngineError.INTERNAL));
    gateway.awaitState(0, AcceleratorState.READY);
    gateway.awaitState(1, AcceleratorState.READY);
    assertThat(gateway.submit(OffloadPolicy.REQUIRE).text()).isEqualTo(expected);
    for (FaultySidecar sidecar : List.of(first, second)) {
      sidecar.after(5);
      sidecar.set(Fault.STALLS);
    }
    assertThat(gateway.submit(OffloadPolicy.PREFER).text()).as("that breaks off and goes on here").isEqualTo(expected);
    for (FaultySidecar sidecar : List.of(first, second)) {
      sidecar.set(Fault.NONE);
    }
    gateway.awaitState(0, AcceleratorState.READY);
    GenerationRequest empty = gateway.request(OffloadPolicy.REQUIRE, WARM, List.of(""));
    assertThatThrownBy(() -> gateway.submit(empty)).isInstanceOfSatisfying(EngineException.class, refusal -> assertThat(refusal.error()).isEqualTo(EngineError.INVALID_REQUEST));
  }

  @Test
  void aStopStringEndsTheAnswerThere() throws Exception {
    String whole = gateway.submit(OffloadPolicy.OFF).text();
    String stop = whole.substring(30, 36);
    RecordingListener here = gateway.submit(gateway.request(OffloadPolicy.OFF, SamplingParameters.GREEDY, List.of(stop)));
    RecordingListener there = gateway.submit(gateway.request(OffloadPolicy.REQUIRE, SamplingParameters.GREEDY, List.of(stop)));
    assertThat(there.text()).isEqualTo(here.text());
    assertThat(there.result().completionTokens()).isEqualTo(here.result().completionTokens());
    assertThat(there.result().reason()).isEqualTo(here.result().reason());
    Gateway.await("the sidecars are idle", () -> first.engine().running() + second.engine().running() == 0);
  }

  @Test
  void oneThatHesitatesIsOvertaken() throws Exception {
    first.set(Fault.NEVER_TAKES);
    RecordingListener listener = gateway.submit(OffloadPolicy.REQUIRE);
    Placement placement = listener.result().placement().orElseThrow();
    assertThat(placement.accelerator()).isEqualTo(second.target());
    assertThat(placement.acceleratorTokens()).isEqualTo(Gateway.TOKENS);
    assertThat(placement.reason()).as("the first one's time was not over").isEqualTo("An accelerator is required.");
    first.set(Fault.NONE);
    assertThat(gateway.submit(OffloadPolicy.REQUIRE).result().placement()).isPresent();
  }

  @Test
  void aRefusalGoesToTheNextAndOpensNoBreaker() throws Exception {
    first.set(Fault.FULL);
    assertThat(gateway.submit(OffloadPolicy.REQUIRE).result().placement().orElseThrow().accelerator()).isEqualTo(second.target());
    assertThat(gateway.status(0).state()).isEqualTo(AcceleratorState.READY);
    second.set(Fault.FULL);
    EngineException failure = gateway.submit(OffloadPolicy.REQUIRE).error();
    assertThat(failure.error()).isEqualTo(EngineError.ACCELERATOR_UNAVAILABLE);
    assertThat(failure.getMessage()).contains("the queue is full");
    RecordingListener preferred = gateway.submit(OffloadPolicy.PREFER);
    assertThat(preferred.result().placement().orElseThrow().accelerator()).isEmpty();
    assertThat(preferred.result().placement().orElseThrow().continued()).isFalse();
  }

  @Test
  void theBreakerRestsAndHeals() throws Exception {
    gateway.close();
    TestClock clock = new TestClock();
    begin(new Gateway(Gateway.noticesSilence(first.target(), second.target()), clock));
    second.set(Fault.ABSENT);
    gateway.awaitState(1, AcceleratorState.UNREACHABLE);
    first.set(Fault.STALLS);
    gateway.submit(OffloadPolicy.PREFER).text();
    assertThat(gateway.status(0).state()).isEqualTo(AcceleratorState.RESTING);
    assertThat(gateway.status(0).detail()).contains("fell silent").contains("left alone");
    int before = first.generations();
    RecordingListener meanwhile = gateway.submit(OffloadPolicy.PREFER);
    assertThat(meanwhile.result().placement().orElseThrow().reason()).contains("is resting");
    assertThat(first.generations()).isEqualTo(before);
    assertThatThrownBy(() -> gateway.submit(OffloadPolicy.REQUIRE)).isInstanceOf(EngineException.class).hasMessageContaining("is resting");
    first.set(Fault.NONE);
    clock.advanceSeconds(1); // the first rest is of half a second, a fifth more or less
    gateway.awaitState(0, AcceleratorState.READY);
    assertThat(gateway.submit(OffloadPolicy.REQUIRE).result().placement().orElseThrow().acceleratorTokens()).isEqualTo(Gateway.TOKENS);
  }

  @Test
  void oneWhoseTokensAreNotTheModelsIsNotUsedAfterARestart() throws Exception {
    second.set(Fault.ABSENT);
    first.set(Fault.DIES);
    gateway.submit(OffloadPolicy.PREFER).text(); // it is tried again after this
    first.set(Fault.WRONG_TOKENS);
    first.restart();
    gateway.awaitState(0, AcceleratorState.WRONG_ANSWERS);
    assertThat(gateway.status(0).detail()).contains("token 5 of its trial answer is");
  }

  @Test
  void cancellingStopsTheAccelerator() throws Exception {
    first.delayMillis(50);
    second.delayMillis(50);
    first.set(Fault.DELAYS);
    second.set(Fault.DELAYS);
    RecordingListener listener = new RecordingListener();
    Generation generation = gateway.engine.submit(gateway.request(OffloadPolicy.REQUIRE, SamplingParameters.GREEDY, List.of()), listener);
    Gateway.await("some tokens", () -> listener.tokens.size() > 6);
    generation.cancel();
    assertThat(listener.error().error()).isEqualTo(EngineError.CANCELLED);
    assertThat(listener.tokens.size()).isLessThan(Gateway.TOKENS);
    Gateway.await("the sidecars are idle", () -> first.engine().running() + second.engine().running() == 0);
    assertThat(gateway.status(0).state()).isEqualTo(AcceleratorState.READY);
    assertThat(gateway.status(1).state()).isEqualTo(AcceleratorState.READY);
  }

  @Test
  void theDeadlineHoldsThereToo() throws Exception {
    first.set(Fault.DELAYS);
    second.set(Fault.DELAYS);
    first.delayMillis(60);
    second.delayMillis(60);
    GenerationRequest request = gateway.request(OffloadPolicy.REQUIRE, SamplingParameters.GREEDY, List.of());
    GenerationRequest urgent = new GenerationRequest(request.promptIds(), request.maxTokens(), request.sampling(), request.stop(), -1, false,
        System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(500), request.offload(), new int[0]);
    assertThat(gateway.submit(urgent).error().error()).isEqualTo(EngineError.DEADLINE_EXCEEDED);
    assertThat(gateway.status(0).state()).isEqualTo(AcceleratorState.READY);
    assertThat(gateway.status(1).state()).isEqualTo(AcceleratorState.READY);
  }

  @Test
  void alternativesAreMeasuredHere() throws Exception {
    GenerationRequest request = gateway.request(OffloadPolicy.PREFER, SamplingParameters.GREEDY, List.of());
    RecordingListener listener = gateway.submit(new GenerationRequest(request.promptIds(), 4, request.sampling(), List.of(), 3, false, Long.MAX_VALUE)
        .withOffload(Optional.of(OffloadPolicy.PREFER)));
    assertThat(listener.result().placement().orElseThrow().reason()).contains("alternatives");
    assertThat(listener.tokens.getFirst().alternatives()).hasSize(3);
  }

  @Test
  void stoppingWaitsForWhatRunsThere() throws Exception {
    first.set(Fault.DELAYS);
    second.set(Fault.DELAYS);
    RecordingListener listener = gateway.submit(OffloadPolicy.REQUIRE);
    Gateway.await("a token", () -> !listener.tokens.isEmpty());
    assertThat(gateway.engine.drain(Duration.ofSeconds(20))).isTrue();
    assertThat(listener.ended()).isTrue();
    assertThat(listener.ids()).hasSize(Gateway.TOKENS);
    assertThatThrownBy(() -> gateway.submit(OffloadPolicy.PREFER)).isInstanceOf(EngineException.class).hasMessageContaining("stopping");
  }

  @Test
  void stoppingInTimeEndsWhatIsTooSlow() throws Exception {
    for (FaultySidecar sidecar : List.of(first, second)) {
      sidecar.delayMillis(500);
      sidecar.set(Fault.DELAYS);
    }
    RecordingListener listener = gateway.submit(OffloadPolicy.REQUIRE);
    Gateway.await("a token", () -> !listener.tokens.isEmpty());
    assertThat(gateway.engine.drain(Duration.ofMillis(100))).isFalse();
    assertThat(listener.error().error()).isEqualTo(EngineError.CANCELLED);
  }
}
