package dev.nibble.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.nibble.model.ForwardingModel;
import dev.nibble.model.LanguageModel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class SequentialEngineTest {
  private static final int CONTEXT = 512;
  private static final long SECOND = 1_000_000_000L;
  private static final SamplingParameters WARM = new SamplingParameters(1, 0, 1, 0, 1, 0, 0, Map.of(), 42);

  private final ByteTokenizer tokenizer = new ByteTokenizer();
  private final NGramModel model = new NGramModel(CONTEXT);
  private final Semaphore permits = new Semaphore(0); // a forward pass each
  private final LanguageModel paced = new ForwardingModel(model, (sequence, ids, from, count, logits, stopped) -> {
    permits.acquireUninterruptibly();
    sequence.append(ids, from, count, logits);
    return true;
  });
  private final List<Engine> engines = new ArrayList<>();
  private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - SECOND / 2); // about to overflow, as the system's clock may

  @AfterEach
  void closeEngines() {
    permits.release(1_000_000);
    engines.forEach(Engine::close);
  }

  // ---- answers

  @Test
  void answersWhatTheModelSays() throws Exception {
    Engine engine = engine(64, 256);
    RecordingListener listener = submit(engine, "Once upon", 40, SamplingParameters.GREEDY);
    GenerationResult result = listener.result();
    int[] expected = greedy(ids("Once upon"), 40);
    assertThat(listener.ids()).containsExactly(expected);
    assertThat(listener.text()).isEqualTo(tokenizer.decode(expected, false));
    assertThat(result.promptTokens()).isEqualTo(9);
    assertThat(result.completionTokens()).isEqualTo(expected.length);
    assertThat(listener.started).isCompleted();
    assertThat(listener.ends).hasValue(1);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7, 64, 256})
  void theChunkingOfThePromptChangesNothingButThePasses(int chunk) throws Exception {
    Engine engine = engine(64, chunk);
    String prompt = "The sensor in the kitchen said";
    RecordingListener listener = submit(engine, prompt, 20, WARM);
    GenerationResult result = listener.result();
    assertThat(listener.ids()).containsExactly(sampled(ids(prompt), 20, WARM));
    int chunks = (prompt.length() + chunk - 1) / chunk;
    boolean endToken = result.reason() == FinishReason.STOP;
    assertThat(engine.forwardPasses()).isEqualTo(chunks + result.completionTokens() - (endToken ? 0 : 1));
  }

  @Test
  void theSameSeedGivesTheSameAnswerWhateverElseRuns() throws Exception {
    Engine engine = engine(64, 256);
    RecordingListener first = submit(engine, "Lily", 60, WARM);
    submit(engine, "One day", 30, new SamplingParameters(2, 0, 1, 0, 1, 0, 0, Map.of(), 7));
    RecordingListener second = submit(engine, "Lily", 60, WARM);
    assertThat(second.text()).isEqualTo(first.text());
    assertThat(second.ids()).containsExactly(first.ids());
  }

  @Test
  void textComesInWholeCharactersThoughEachByteIsAToken() throws Exception {
    Engine engine = engine(64, 256);
    RecordingListener listener = submit(engine, "The caf", 90, SamplingParameters.GREEDY);
    String text = listener.text();
    assertThat(text).isEqualTo(tokenizer.decode(listener.ids(), false)).contains("é").doesNotContain("\uFFFD");
    assertThat(listener.tokens).anySatisfy(token -> assertThat(token.text()).isEmpty());
    assertThat(listener.tokens).allSatisfy(token -> assertThat(token.text()).doesNotContain("\uFFFD"));
  }

  @Test
  void stopStringsSpanTokensAndAreNotPartOfTheAnswer() throws Exception {
    Engine engine = engine(64, 256);
    String whole = submit(engine, "Once upon", 60, SamplingParameters.GREEDY).text();
    String stop = whole.substring(20, 27);
    RecordingListener listener = new RecordingListener();
    engine.submit(new GenerationRequest(ids("Once upon"), 60, SamplingParameters.GREEDY, List.of("never there", stop), -1, false, Long.MAX_VALUE), listener);
    assertThat(listener.result().reason()).isEqualTo(FinishReason.STOP);
    assertThat(listener.text()).isEqualTo(whole.substring(0, whole.indexOf(stop)));
    assertThat(listener.result().completionTokens()).isEqualTo(whole.indexOf(stop) + stop.length());
  }

  @Test
  void whatWasHeldBackComesWithTheEnd() throws Exception {
    Engine engine = engine(64, 256);
    String whole = submit(engine, "Once upon", 12, SamplingParameters.GREEDY).text();
    RecordingListener listener = new RecordingListener();
    String neverComplete = whole.substring(8) + "#";
    engine.submit(new GenerationRequest(ids("Once upon"), 12, SamplingParameters.GREEDY, List.of(neverComplete), -1, false, Long.MAX_VALUE), listener);
    assertThat(listener.result().text()).isEqualTo(whole.substring(8));
    assertThat(listener.result().reason()).isEqualTo(FinishReason.LENGTH);
    assertThat(listener.text()).isEqualTo(whole);
  }

  @Test
  void anEndTokenEndsTheAnswerUnlessIgnored() throws Exception {
    Engine engine = engine(64, 256);
    RecordingListener ended = submit(engine, "and the fan went on.", 30, SamplingParameters.GREEDY);
    assertThat(ended.result().reason()).isEqualTo(FinishReason.STOP);
    assertThat(ended.result().completionTokens()).isZero();
    assertThat(ended.tokens).isEmpty();
    RecordingListener ignoring = new RecordingListener();
    engine.submit(new GenerationRequest(ids("and the fan went on."), 30, SamplingParameters.GREEDY, List.of(), -1, true, Long.MAX_VALUE), ignoring);
    assertThat(ignoring.result().reason()).isEqualTo(FinishReason.LENGTH);
    assertThat(ignoring.ids()).hasSize(30).startsWith(ByteTokenizer.END);
    assertThat(ignoring.tokens.getFirst().text()).isEmpty();
  }

  @Test
  void maxTokensZeroUsesTheContextUp() throws Exception {
    Engine engine = engine(64, 256);
    RecordingListener listener = new RecordingListener();
    engine.submit(new GenerationRequest(ids("Lily"), 0, SamplingParameters.GREEDY, List.of(), -1, true, Long.MAX_VALUE), listener);
    assertThat(listener.result().completionTokens()).isEqualTo(CONTEXT - 4);
    assertThat(listener.result().reason()).isEqualTo(FinishReason.LENGTH);
  }

  @Test
  void logProbabilitiesAreTheModelsOwn() throws Exception {
    Engine engine = engine(64, 256);
    RecordingListener listener = new RecordingListener();
    SamplingParameters forced = new SamplingParameters(0, 0, 1, 0, 1, 0, 0, Map.of((int) '#', 100f), 0);
    engine.submit(new GenerationRequest(ids("Once"), 3, forced, List.of(), 20, false, Long.MAX_VALUE), listener);
    listener.result();
    GeneratedToken token = listener.tokens.getFirst();
    float[] logits = model.logitsAfter(ids("Once"));
    double total = 0;
    for (float logit : logits) {
      total += Math.exp(logit);
    }
    assertThat(token.id()).isEqualTo('#');
    assertThat((double) token.logProbability()).as("before the bias").isCloseTo(logits['#'] - Math.log(total), within(1e-5));
    assertThat(token.alternatives()).hasSize(20);
    assertThat(token.alternatives().getFirst().text()).isEqualTo(" ");
    for (int i = 1; i < 20; i++) {
      GeneratedToken.TokenLogProbability better = token.alternatives().get(i - 1);
      GeneratedToken.TokenLogProbability worse = token.alternatives().get(i);
      assertThat(better.logProbability()).isGreaterThanOrEqualTo(worse.logProbability());
      assertThat(better.logProbability() > worse.logProbability() || better.id() < worse.id()).isTrue();
      assertThat((double) worse.logProbability()).isCloseTo(logits[worse.id()] - Math.log(total), within(1e-5));
    }

    RecordingListener chosenOnly = new RecordingListener();
    engine.submit(new GenerationRequest(ids("Once"), 1, SamplingParameters.GREEDY, List.of(), 0, false, Long.MAX_VALUE), chosenOnly);
    chosenOnly.result();
    assertThat(chosenOnly.tokens.getFirst().logProbability()).isLessThan(0);
    assertThat(chosenOnly.tokens.getFirst().alternatives()).isEmpty();
    RecordingListener nothing = submit(engine, "Once", 1, SamplingParameters.GREEDY);
    nothing.result();
    assertThat(nothing.tokens.getFirst().logProbability()).isNaN();
  }

  // ---- the waiting line

  @Test
  void firstComeFirstServed() throws Exception {
    Engine engine = pacedEngine(64, 256, EngineObserver.NONE);
    List<Integer> order = Collections.synchronizedList(new ArrayList<>());
    List<RecordingListener> listeners = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      int number = i;
      RecordingListener listener = new RecordingListener();
      listener.started.thenRun(() -> order.add(number));
      engine.submit(request("Lily", 5), listener);
      listeners.add(listener);
    }
    waitFor(() -> engine.running() == 1);
    assertThat(engine.queueDepth()).isEqualTo(9);
    permits.release(1000);
    for (RecordingListener listener : listeners) {
      listener.result();
    }
    assertThat(order).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    assertThat(engine.queueDepth()).isZero();
    assertThat(engine.running()).isZero();
  }

  @Test
  void aFullLineRefusesAndSaysWhenToComeBack() throws Exception {
    Engine engine = pacedEngine(2, 256, EngineObserver.NONE);
    RecordingListener first = submit(engine, "Lily", 3, SamplingParameters.GREEDY);
    submit(engine, "Lily", 3, SamplingParameters.GREEDY);
    submit(engine, "Lily", 3, SamplingParameters.GREEDY);
    RecordingListener refused = new RecordingListener();
    EngineException full = refusal(engine, request("Lily", 3), refused);
    assertThat(full.error()).isEqualTo(EngineError.QUEUE_FULL);
    assertThat(full.metadata()).containsEntry("queue_capacity", "2").containsEntry("retry_after_seconds", "1");
    assertThat(refused.started).isNotCompleted();
    assertThat(refused.ended()).isFalse();
    permits.release(3);
    first.result();
    waitFor(() -> engine.queueDepth() == 1);
    RecordingListener later = submit(engine, "Lily", 3, SamplingParameters.GREEDY);
    permits.release(100);
    later.result();
  }

  @Test
  void theAdviceToComeBackGrowsWithTheTimeRequestsTake() throws Exception {
    Engine engine = clockedEngine(3);
    RecordingListener slow = submit(engine, "Lily", 1, SamplingParameters.GREEDY);
    waitFor(() -> engine.forwardPasses() == 1);
    now.addAndGet(7 * SECOND / 10);
    permits.release(1);
    slow.result();
    for (int i = 0; i < 4; i++) {
      submit(engine, "Lily", 1, SamplingParameters.GREEDY);
    }
    String advice = refusal(engine, request("Lily", 1), new RecordingListener()).metadata().get("retry_after_seconds");
    assertThat(Integer.parseInt(advice)).as("three or four waiting, each taking 0.7 s").isEqualTo(3);
  }

  // ---- cancelling

  @Test
  void cancellingAWaitingRequestFreesItsPlaceAtOnce() throws Exception {
    Engine engine = pacedEngine(1, 256, EngineObserver.NONE);
    RecordingListener running = submit(engine, "Lily", 2, SamplingParameters.GREEDY);
    waitFor(() -> engine.forwardPasses() == 1);
    RecordingListener waiting = new RecordingListener();
    Generation generation = engine.submit(request("Lily", 2), waiting);
    assertThat(refusal(engine, request("Lily", 2), new RecordingListener()).error()).isEqualTo(EngineError.QUEUE_FULL);
    generation.cancel();
    assertThat(waiting.ended()).isTrue();
    assertThat(waiting.error().error()).isEqualTo(EngineError.CANCELLED);
    generation.cancel();
    assertThat(waiting.ends).hasValue(1);
    RecordingListener next = submit(engine, "Lily", 2, SamplingParameters.GREEDY);
    permits.release(100);
    running.result();
    next.result();
    assertThat(waiting.started).isNotCompleted();
    assertThat(engine.forwardPasses()).as("two each for those that ran").isEqualTo(4);
  }

  @Test
  void cancellingDuringPrefillStopsBeforeTheNextChunk() throws Exception {
    Engine engine = pacedEngine(4, 4, EngineObserver.NONE);
    RecordingListener listener = new RecordingListener();
    Generation generation = engine.submit(request("Once upon a time there was a little girl", 10), listener);
    permits.release(3);
    waitFor(() -> engine.forwardPasses() == 4);
    generation.cancel();
    generation.cancel();
    permits.release(100);
    assertThat(listener.error().error()).isEqualTo(EngineError.CANCELLED);
    assertThat(engine.forwardPasses()).as("the one under way was the last of ten chunks").isEqualTo(4);
    assertThat(listener.tokens).isEmpty();
    assertThat(listener.ends).hasValue(1);
    submit(engine, "Lily", 2, SamplingParameters.GREEDY).result();
  }

  @Test
  void cancellingDuringDecodingStopsBeforeTheNextPass() throws Exception {
    Engine engine = pacedEngine(4, 256, EngineObserver.NONE);
    RecordingListener listener = new RecordingListener();
    Generation generation = engine.submit(request("Once", 100), listener);
    permits.release(5);
    waitFor(() -> engine.forwardPasses() == 6);
    generation.cancel();
    permits.release(100);
    assertThat(listener.error().error()).isEqualTo(EngineError.CANCELLED);
    assertThat(engine.forwardPasses()).isEqualTo(6);
    assertThat(listener.tokens).hasSize(5);
  }

  @Test
  void aListenerMayCancelFromATokensCall() throws Exception {
    Engine engine = engine(4, 256);
    CompletableFuture<Generation> generation = new CompletableFuture<>();
    CompletableFuture<EngineException> end = new CompletableFuture<>();
    List<GeneratedToken> tokens = new ArrayList<>();
    generation.complete(
        engine.submit(
            request("Once", 100),
            new GenerationListener() {
              @Override
              public void onToken(GeneratedToken token) {
                tokens.add(token);
                if (tokens.size() == 3) {
                  generation.join().cancel();
                }
              }

              @Override
              public void onFinish(GenerationResult result) {
                end.completeExceptionally(new AssertionError("finished"));
              }

              @Override
              public void onError(EngineException error) {
                end.complete(error);
              }
            }));
    assertThat(end.get(20, TimeUnit.SECONDS).error()).isEqualTo(EngineError.CANCELLED);
    assertThat(tokens).hasSize(3);
    assertThat(engine.forwardPasses()).isEqualTo(3);
  }

  @Test
  void cancellingAFinishedAnswerDoesNothing() throws Exception {
    Engine engine = engine(4, 256);
    RecordingListener listener = new RecordingListener();
    Generation generation = engine.submit(request("Once", 3), listener);
    listener.result();
    generation.cancel();
    assertThat(listener.ends).hasValue(1);
  }

  // ---- deadlines

  @Test
  void aDeadlinePassesWhileRunningAndWhileWaiting() throws Exception {
    Engine engine = clockedEngine(4);
    RecordingListener running = new RecordingListener();
    RecordingListener waiting = new RecordingListener();
    long soon = now.get() + SECOND;
    RecordingListener patient = submit(engine, "Once", 4, SamplingParameters.GREEDY);
    waitFor(() -> engine.forwardPasses() == 1);
    engine.submit(withDeadline(soon), waiting);
    now.addAndGet(SECOND);
    permits.release(1);
    assertThat(waiting.error().error()).as("told while another still runs").isEqualTo(EngineError.DEADLINE_EXCEEDED);
    assertThat(engine.queueDepth()).isZero();
    assertThat(patient.ended()).isFalse();
    permits.release(3);
    patient.result();

    long later = now.get() + SECOND;
    engine.submit(withDeadline(later), running);
    waitFor(() -> engine.forwardPasses() == 5);
    permits.release(2);
    waitFor(() -> engine.forwardPasses() == 7);
    now.addAndGet(SECOND);
    permits.release(100);
    assertThat(running.error().error()).isEqualTo(EngineError.DEADLINE_EXCEEDED);
    assertThat(engine.forwardPasses()).isEqualTo(7);
    assertThat(waiting.started).isNotCompleted();
  }

  @Test
  void aDeadlineAlreadyPassedIsRefused() {
    Engine engine = clockedEngine(4);
    assertThat(refusal(engine, withDeadline(now.get()), new RecordingListener()).error()).isEqualTo(EngineError.DEADLINE_EXCEEDED);
  }

  // ---- the service's own requests

  @Test
  void aProbeIsNobodysRequest() throws Exception {
    List<String> heard = Collections.synchronizedList(new ArrayList<>());
    Engine engine = pacedEngine(1, 256, new EngineObserver() {
      @Override
      public void queued() {
        heard.add("queued");
      }

      @Override
      public void started(double queueSeconds) {
        heard.add("started");
      }

      @Override
      public void finished(Outcome outcome, GenerationResult result) {
        heard.add("finished");
      }
    });
    assertThat(engine.nanosSinceStep()).isZero();
    RecordingListener listener = new RecordingListener();
    assertThat(engine.probe(request("Once", 4), listener)).isPresent();
    listener.started.get(20, TimeUnit.SECONDS);
    assertThat(engine.running()).isZero();
    assertThat(engine.queueDepth()).isZero();
    assertThat(engine.probe(request("Once", 4), new RecordingListener())).as("one at a time").isEmpty();
    permits.release(100);
    listener.result();
    assertThat(listener.ids()).containsExactly(greedy(ids("Once"), 4));
    assertThat(engine.forwardPasses()).isZero();
    assertThat(heard).isEmpty();
  }

  @Test
  void aProbeGivesWay() throws Exception {
    Engine engine = pacedEngine(1, 256, EngineObserver.NONE);
    RecordingListener probe = new RecordingListener();
    engine.probe(request("Once", 4), probe);
    probe.started.get(20, TimeUnit.SECONDS);
    RecordingListener first = submit(engine, "Lily", 3, SamplingParameters.GREEDY);
    RecordingListener second = submit(engine, "Lily", 3, SamplingParameters.GREEDY);
    assertThat(refusal(engine, request("Lily", 3), new RecordingListener()).error()).as("one runs next, one waits").isEqualTo(EngineError.QUEUE_FULL);
    permits.release(1);
    assertThat(probe.error().error()).isEqualTo(EngineError.CANCELLED);
    assertThat(probe.tokens).isEmpty();
    assertThat(engine.probe(request("Once", 4), new RecordingListener())).as("busy").isEmpty();
    permits.release(100);
    assertThat(first.result().completionTokens()).isEqualTo(3);
    assertThat(second.result().completionTokens()).isEqualTo(3);
    assertThat(engine.forwardPasses()).isEqualTo(6);
  }

  @Test
  void aProbeEndsWithTheEngine() throws Exception {
    Engine engine = pacedEngine(1, 256, EngineObserver.NONE);
    RecordingListener probe = new RecordingListener();
    engine.probe(request("Once", 4), probe);
    probe.started.get(20, TimeUnit.SECONDS);
    assertThat(engine.drain(Duration.ofMillis(1))).isFalse();
    permits.release(100);
    assertThat(probe.error().error()).isEqualTo(EngineError.CANCELLED);
    assertThatThrownBy(() -> engine.probe(request("Once", 4), new RecordingListener()))
        .isInstanceOfSatisfying(EngineException.class, refusal -> assertThat(refusal.error()).isEqualTo(EngineError.SHUTTING_DOWN));
  }

  @Test
  void tellsHowLongTheLastStepIsAgo() throws Exception {
    Engine engine = clockedEngine(4);
    assertThat(engine.nanosSinceStep()).as("idle").isZero();
    RecordingListener listener = submit(engine, "Once", 3, SamplingParameters.GREEDY);
    waitFor(() -> permits.hasQueuedThreads());
    now.addAndGet(5 * SECOND);
    assertThat(engine.nanosSinceStep()).isEqualTo(5 * SECOND);
    permits.release(1);
    waitFor(() -> engine.forwardPasses() == 2 && engine.nanosSinceStep() == 0);
    waitFor(() -> permits.hasQueuedThreads());
    now.addAndGet(SECOND);
    assertThat(engine.nanosSinceStep()).isEqualTo(SECOND);
    permits.release(100);
    listener.result();
    waitFor(() -> engine.nanosSinceStep() == 0);
  }

  // ---- what is refused

  @Test
  void refusesWhatCannotBeAnswered() {
    Engine engine = engine(4, 256);
    assertInvalid(engine, new int[0], 1, List.of(), -1, Map.of(), "prompt");
    assertInvalid(engine, new int[] {1, 257}, 1, List.of(), -1, Map.of(), "prompt");
    assertInvalid(engine, new int[] {-1}, 1, List.of(), -1, Map.of(), "prompt");
    assertInvalid(engine, new int[] {1}, -1, List.of(), -1, Map.of(), "max_tokens");
    assertInvalid(engine, new int[] {1}, 1, List.of("a", ""), -1, Map.of(), "stop");
    assertInvalid(engine, new int[] {1}, 1, List.of("a".repeat(257)), -1, Map.of(), "stop");
    assertInvalid(engine, new int[] {1}, 1, Collections.nCopies(17, "a"), -1, Map.of(), "stop");
    assertInvalid(engine, new int[] {1}, 1, List.of("\uD83D"), -1, Map.of(), "stop");
    assertInvalid(engine, new int[] {1}, 1, List.of(), -2, Map.of(), "logprobs");
    assertInvalid(engine, new int[] {1}, 1, List.of(), 21, Map.of(), "logprobs");
    assertInvalid(engine, new int[] {1}, 1, List.of(), -1, Map.of(257, 1f), "logit_bias[257]");
    assertThat(engine.forwardPasses()).isZero();
  }

  @Test
  void refusesMoreThanTheContextHolds() throws Exception {
    Engine engine = engine(4, 256);
    int[] long509 = new int[509];
    Arrays.fill(long509, 'a');
    for (int maxTokens : new int[] {4, Integer.MAX_VALUE}) {
      EngineException refusal = refusal(engine, request(long509, maxTokens), new RecordingListener());
      assertThat(refusal.error()).isEqualTo(EngineError.CONTEXT_LENGTH_EXCEEDED);
      assertThat(refusal.metadata())
          .containsExactlyInAnyOrderEntriesOf(
              Map.of("context_length", "512", "prompt_tokens", "509", "max_tokens", Integer.toString(maxTokens)));
    }
    assertThat(refusal(engine, request(new int[512], 0), new RecordingListener()).error()).isEqualTo(EngineError.CONTEXT_LENGTH_EXCEEDED);
    RecordingListener fits = new RecordingListener();
    engine.submit(request(long509, 3), fits);
    fits.result();
  }

  @Test
  void aPromptChangedAfterSubmittingIsNotReadAgain() throws Exception {
    Engine engine = pacedEngine(4, 256, EngineObserver.NONE);
    submit(engine, "Lily", 1, SamplingParameters.GREEDY);
    int[] prompt = ids("Once upon");
    RecordingListener listener = new RecordingListener();
    engine.submit(request(prompt, 10), listener);
    Arrays.fill(prompt, -1);
    permits.release(100);
    listener.result();
    assertThat(listener.ids()).containsExactly(greedy(ids("Once upon"), 10));
  }

  // ---- failures

  @ParameterizedTest
  @ValueSource(strings = {"start", "token", "finish", "error"})
  void aListenerThatThrowsEndsItsOwnRequestOnly(String when) throws Exception {
    Engine engine = engine(4, 256);
    CompletableFuture<EngineException> error = new CompletableFuture<>();
    CompletableFuture<GenerationResult> finish = new CompletableFuture<>();
    engine.submit(
        request("Once", 5),
        new GenerationListener() {
          @Override
          public void onStart() {
            fail("start");
          }

          @Override
          public void onToken(GeneratedToken token) {
            fail(when.equals("error") ? "error" : "token");
          }

          @Override
          public void onFinish(GenerationResult result) {
            finish.complete(result);
            fail("finish");
          }

          @Override
          public void onError(EngineException failure) {
            error.complete(failure);
            fail("error");
          }

          private void fail(String here) {
            if (here.equals(when)) {
              throw new IllegalStateException("thrown by a test's listener at " + here);
            }
          }
        });
    RecordingListener next = submit(engine, "Once", 5, SamplingParameters.GREEDY);
    assertThat(next.result().completionTokens()).isEqualTo(5);
    if (when.equals("finish")) {
      assertThat(finish).isCompleted();
      assertThat(error).isNotCompleted();
    } else {
      assertThat(error.join().error()).isEqualTo(EngineError.INTERNAL);
      assertThat(finish).isNotCompleted();
    }
    assertThat(engine.drain(Duration.ofSeconds(20))).isTrue();
  }

  @Test
  void aPassThatFailsEndsItsOwnRequestOnly() throws Exception {
    // A real defect in small: a model that holds fewer tokens than it says refuses in the middle of an answer.
    NGramModel small = new NGramModel(CONTEXT) {
      @Override
      public Sequence newSequence(int capacity) {
        return super.newSequence(Math.min(capacity, 10));
      }
    };
    Engine engine = keep(new SequentialEngine(info(), small, tokenizer, EngineOptions.DEFAULT));
    RecordingListener broken = submit(engine, "Once", 20, SamplingParameters.GREEDY);
    EngineException error = broken.error();
    assertThat(error.error()).isEqualTo(EngineError.INTERNAL);
    assertThat(error).hasMessageNotContaining("tokens in a sequence");
    assertThat(broken.tokens).hasSize(7);
    assertThat(submit(engine, "Once", 5, SamplingParameters.GREEDY).result().completionTokens()).isEqualTo(5);
  }

  // ---- stopping

  @Test
  void drainingFinishesWhatWasAcceptedAndRefusesTheRest() throws Exception {
    Engine engine = pacedEngine(4, 256, EngineObserver.NONE);
    RecordingListener running = submit(engine, "Once", 5, SamplingParameters.GREEDY);
    RecordingListener waiting = submit(engine, "Lily", 5, SamplingParameters.GREEDY);
    CompletableFuture<Boolean> drained = CompletableFuture.supplyAsync(() -> engine.drain(Duration.ofSeconds(30)));
    waitFor(() -> {
      try {
        engine.submit(request(new int[0], 1), new RecordingListener());
        return false;
      } catch (EngineException refusal) {
        return refusal.error() == EngineError.SHUTTING_DOWN;
      }
    });
    assertThat(refusal(engine, request("Once", 1), new RecordingListener()).error()).isEqualTo(EngineError.SHUTTING_DOWN);
    assertThat(drained).isNotDone();
    permits.release(100);
    assertThat(drained.get(20, TimeUnit.SECONDS)).isTrue();
    assertThat(running.ended()).isTrue();
    assertThat(running.result().completionTokens()).isEqualTo(5);
    assertThat(waiting.result().completionTokens()).isEqualTo(5);
  }

  @Test
  void drainingCancelsWhatDoesNotFinishInTime() throws Exception {
    Engine engine = pacedEngine(4, 256, EngineObserver.NONE);
    RecordingListener running = submit(engine, "Once", 5, SamplingParameters.GREEDY);
    RecordingListener waiting = submit(engine, "Lily", 5, SamplingParameters.GREEDY);
    waitFor(() -> engine.forwardPasses() == 1);
    assertThat(engine.drain(Duration.ofMillis(50))).isFalse();
    assertThat(waiting.error().error()).isEqualTo(EngineError.CANCELLED);
    permits.release(100);
    assertThat(running.error().error()).isEqualTo(EngineError.CANCELLED);
    assertThat(engine.forwardPasses()).isEqualTo(1);
    assertThat(engine.drain(Duration.ofDays(1_000_000_000))).as("nothing left, however long the grace").isTrue();
  }

  @Test
  void closingCancelsAllAndEndsTheThread() throws Exception {
    Engine engine = pacedEngine(4, 256, EngineObserver.NONE);
    RecordingListener running = submit(engine, "Once", 5, SamplingParameters.GREEDY);
    RecordingListener waiting = submit(engine, "Lily", 5, SamplingParameters.GREEDY);
    waitFor(() -> engine.forwardPasses() == 1);
    CompletableFuture<Void> closed = CompletableFuture.runAsync(engine::close);
    assertThat(waiting.error().error()).isEqualTo(EngineError.CANCELLED);
    assertThat(closed).isNotDone();
    permits.release(100);
    closed.get(20, TimeUnit.SECONDS);
    assertThat(running.error().error()).isEqualTo(EngineError.CANCELLED);
    engine.close();
    assertThat(refusal(engine, request("Once", 1), new RecordingListener()).error()).isEqualTo(EngineError.SHUTTING_DOWN);
  }

  // ---- observing

  @Test
  void theObserverHearsWhatRequestsGoThrough() throws Exception {
    List<String> heard = Collections.synchronizedList(new ArrayList<>());
    List<Double> seconds = Collections.synchronizedList(new ArrayList<>());
    List<GenerationResult> results = Collections.synchronizedList(new ArrayList<>());
    EngineObserver observer =
        new EngineObserver() {
          @Override
          public void queued() {
            heard.add("queued");
          }

          @Override
          public void started(double queueSeconds) {
            heard.add("started");
            seconds.add(queueSeconds);
          }

          @Override
          public void firstToken(double sinceSubmit) {
            heard.add("first");
            seconds.add(sinceSubmit);
          }

          @Override
          public void token(double sincePrevious) {
            heard.add("token");
            seconds.add(sincePrevious);
          }

          @Override
          public void finished(Outcome outcome, GenerationResult result) {
            heard.add(outcome.name());
            results.add(result);
            throw new IllegalStateException("thrown by a test's observer");
          }
        };
    Engine engine = pacedEngine(4, 2, observer);
    RecordingListener listener = submit(engine, "Once", 3, SamplingParameters.GREEDY);
    permits.release(4);
    listener.result();
    assertThat(heard).containsExactly("queued", "started", "first", "token", "token", "LENGTH");
    assertThat(seconds).allSatisfy(value -> assertThat(value).isBetween(0.0, 60.0));
    assertThat(seconds.get(1)).as("from submitting on").isGreaterThanOrEqualTo(seconds.get(0));

    heard.clear();
    RecordingListener cancelled = new RecordingListener();
    Generation generation = engine.submit(request("Once upon", 3), cancelled);
    waitFor(() -> engine.forwardPasses() == 5);
    RecordingListener waiting = new RecordingListener();
    engine.submit(request("Lily", 3), waiting).cancel();
    generation.cancel();
    permits.release(1);
    cancelled.error();
    assertThat(heard).containsExactly("queued", "started", "queued", "CANCELLED", "CANCELLED");
    assertThat(results.get(1).prefillNanos() + results.get(1).decodeNanos()).as("never started").isZero();
    assertThat(results.get(1).queueNanos()).isPositive();
    assertThat(results.get(2).prefillNanos()).isPositive();
    assertThat(results.get(2).completionTokens()).isZero();
  }

  /** Fails at one of its calls, and counts how often it was asked. */
  private static final class BrokenObserver implements EngineObserver {
    private final String at;
    private final AtomicLong failures = new AtomicLong();

    BrokenObserver(String at) {
      this.at = at;
    }

    private void fail(String here) {
      if (here.equals(at)) {
        failures.incrementAndGet();
        throw new IllegalStateException("thrown by a test's observer at " + here);
      }
    }

    @Override
    public void refused(EngineError reason) {
      fail("refused");
    }

    @Override
    public void queued() {
      fail("queued");
    }

    @Override
    public void started(double queueSeconds) {
      fail("started");
    }

    @Override
    public void firstToken(double seconds) {
      fail("firstToken");
    }

    @Override
    public void token(double seconds) {
      fail("token");
    }

    @Override
    public void finished(Outcome outcome, GenerationResult result) {
      fail("finished");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"refused", "queued", "started", "firstToken", "token", "finished"})
  void anObserverThatThrowsHarmsNoRequestAndIsLoggedOnce(String at) throws Exception {
    List<LogRecord> logged = Collections.synchronizedList(new ArrayList<>());
    Handler handler = new Handler() {
      @Override
      public void publish(LogRecord record) {
        logged.add(record);
      }

      @Override
      public void flush() {}

      @Override
      public void close() {}
    };
    Logger log = Logger.getLogger("dev.nibble.engine");
    log.addHandler(handler);
    try {
      BrokenObserver observer = new BrokenObserver(at);
      Engine engine = keep(new SequentialEngine(info(), model, tokenizer, new EngineOptions(4, 256), observer));
      for (int i = 0; i < 2; i++) {
        RecordingListener listener = submit(engine, "Once upon", 10, SamplingParameters.GREEDY);
        assertThat(listener.result().completionTokens()).isEqualTo(10);
        assertThat(listener.ids()).containsExactly(greedy(ids("Once upon"), 10));
        assertThat(refusal(engine, request(new int[0], 1), new RecordingListener()).error()).isEqualTo(EngineError.INVALID_REQUEST);
      }
      assertThat(observer.failures.get()).isGreaterThanOrEqualTo(2);
      assertThat(logged).singleElement().satisfies(record -> assertThat(record.getThrown()).hasMessageContaining(at));
    } finally {
      log.removeHandler(handler);
    }
  }

  // ---- helpers

  private Engine engine(int queueCapacity, int prefillChunk) {
    return keep(new SequentialEngine(info(), model, tokenizer, new EngineOptions(queueCapacity, prefillChunk)));
  }

  private Engine pacedEngine(int queueCapacity, int prefillChunk, EngineObserver observer) {
    return keep(new SequentialEngine(info(), paced, tokenizer, new EngineOptions(queueCapacity, prefillChunk), observer));
  }

  /** A paced engine whose time passes as the test says. */
  private Engine clockedEngine(int queueCapacity) {
    return keep(new SequentialEngine(info(), paced, tokenizer, new EngineOptions(queueCapacity, 256), EngineObserver.NONE, now::get));
  }

  private Engine keep(Engine engine) {
    engines.add(engine);
    return engine;
  }

  private static ModelInfo info() {
    return new ModelInfo("ngram", "ngram", 257 * 257, CONTEXT, 257, 32, 0);
  }

  private int[] ids(String text) {
    return tokenizer.encode(text, false);
  }

  private GenerationRequest request(String prompt, int maxTokens) {
    return request(ids(prompt), maxTokens);
  }

  private static GenerationRequest request(int[] prompt, int maxTokens) {
    return new GenerationRequest(prompt, maxTokens, SamplingParameters.GREEDY, List.of(), -1, false, Long.MAX_VALUE);
  }

  private GenerationRequest withDeadline(long deadlineNanos) {
    return new GenerationRequest(ids("Once"), 50, SamplingParameters.GREEDY, List.of(), -1, false, deadlineNanos);
  }

  private RecordingListener submit(Engine engine, String prompt, int maxTokens, SamplingParameters sampling) {
    RecordingListener listener = new RecordingListener();
    engine.submit(new GenerationRequest(ids(prompt), maxTokens, sampling, List.of(), -1, false, Long.MAX_VALUE), listener);
    return listener;
  }

  private static EngineException refusal(Engine engine, GenerationRequest request, GenerationListener listener) {
    try {
      engine.submit(request, listener);
    } catch (EngineException refusal) {
      return refusal;
    }
    throw new AssertionError("accepted");
  }

  private static void assertInvalid(
      Engine engine, int[] prompt, int maxTokens, List<String> stop, int logProbabilities, Map<Integer, Float> bias, String field) {
    SamplingParameters sampling = new SamplingParameters(0, 0, 1, 0, 1, 0, 0, bias, 0);
    GenerationRequest request = new GenerationRequest(prompt, maxTokens, sampling, stop, logProbabilities, false, Long.MAX_VALUE);
    assertThatThrownBy(() -> engine.submit(request, new RecordingListener()))
        .isInstanceOfSatisfying(
            EngineException.class,
            refusal -> {
              assertThat(refusal.error()).isEqualTo(EngineError.INVALID_REQUEST);
              assertThat(refusal.metadata()).containsEntry("field", field);
            });
  }

  /** Greedy decoding by the definition: all tokens anew for each choice. */
  private int[] greedy(int[] prompt, int most) {
    return sampled(prompt, most, SamplingParameters.GREEDY);
  }

  private int[] sampled(int[] prompt, int most, SamplingParameters sampling) {
    Sampler sampler = new Sampler(257, sampling, prompt);
    int[] sequence = prompt;
    while (sequence.length < prompt.length + most) {
      int id = sampler.choose(model.logitsAfter(sequence), sequence.length);
      if (id == ByteTokenizer.END) {
        break;
      }
      sampler.accept(id);
      sequence = Arrays.copyOf(sequence, sequence.length + 1);
      sequence[sequence.length - 1] = id;
    }
    return Arrays.copyOfRange(sequence, prompt.length, sequence.length);
  }

  private static void waitFor(BooleanSupplier condition) throws InterruptedException {
    long giveUp = System.nanoTime() + 20_000_000_000L;
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - giveUp).as("waited too long").isNegative();
      Thread.sleep(1);
    }
  }
}
