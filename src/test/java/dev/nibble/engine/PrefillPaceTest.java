package dev.nibble.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.model.ForwardingModel;
import dev.nibble.model.LanguageModel;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.runtime.ModelOpener;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.IntToLongFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Prompts cut into passes by time, on a machine whose speed the test sets. */
@Timeout(60)
class PrefillPaceTest {
  private static final long MILLISECOND = 1_000_000;
  private static final EngineOptions OPTIONS = new EngineOptions(1, 256, Duration.ofMillis(250));

  private static PrefillPace pace() {
    return new PrefillPace(OPTIONS);
  }

  /** Sizes of the passes over a long prompt. */
  private static List<Integer> sizes(PrefillPace pace, int passes, IntToLongFunction nanos) {
    List<Integer> sizes = new ArrayList<>();
    for (int i = 0; i < passes; i++) {
      int tokens = pace.next(100_000);
      sizes.add(tokens);
      pace.took(tokens, nanos.applyAsLong(tokens));
    }
    return sizes;
  }

  @Test
  void beginsSmallAndGrowsToWhatTheTimeAllows() {
    assertThat(sizes(pace(), 4, tokens -> tokens * MILLISECOND / 10)).as("10,000 tokens a second").containsExactly(16, 256, 256, 256);
    assertThat(sizes(pace(), 4, tokens -> tokens * 5 * MILLISECOND)).as("200 tokens a second").containsExactly(16, 48, 48, 48);
    assertThat(sizes(pace(), 4, tokens -> tokens * 100 * MILLISECOND)).as("10 tokens a second").containsExactly(16, 8, 8, 8);
    List<Integer> withWeights = sizes(pace(), 12, tokens -> 40 * MILLISECOND + tokens * 5 * MILLISECOND);
    assertThat(withWeights.getLast()).as("40 ms to read the weights, then 200 tokens a second: 42 fit").isBetween(32, 48);
  }

  @Test
  void slownessCountsAtOnceAndPassesSoonGrowAgain() {
    PrefillPace pace = pace();
    sizes(pace, 3, tokens -> tokens * MILLISECOND);
    assertThat(pace.next(100_000)).isEqualTo(240);
    pace.took(240, 20_000 * MILLISECOND); // the machine was busy
    assertThat(sizes(pace, 8, tokens -> tokens * MILLISECOND)).startsWith(8).isSorted().satisfies(sizes -> assertThat(sizes.getLast()).isGreaterThan(128));
  }

  @Test
  void aFewTokensSayNothingOfManyUnlessTheyTookTooLong() {
    PrefillPace pace = pace();
    sizes(pace, 2, tokens -> tokens * MILLISECOND);
    assertThat(pace.next(3)).isEqualTo(3);
    pace.took(3, 100 * MILLISECOND);
    assertThat(pace.next(100_000)).isEqualTo(240);
    pace.took(3, 600 * MILLISECOND);
    assertThat(pace.next(100_000)).isEqualTo(8);
  }

  /** Of a model whose passes each take as long as {@code nanos} says, by the clock of the engine. */
  private static final class Timing {
    private final AtomicLong now;
    private final IntToLongFunction nanos;
    private volatile Runnable asked = () -> {}; // when a pass is asked whether it is still wanted
    private final List<Integer> passes = Collections.synchronizedList(new ArrayList<>());

    Timing(AtomicLong now, IntToLongFunction nanos) {
      this.now = now;
      this.nanos = nanos;
    }

    boolean pass(LanguageModel.Sequence sequence, int[] ids, int from, int count, float[] logits, BooleanSupplier stopped) {
      passes.add(count);
      boolean done = sequence.append(ids, from, count, logits, () -> {
        asked.run();
        return stopped.getAsBoolean();
      });
      now.addAndGet(nanos.applyAsLong(passes.size()) * count);
      return done;
    }
  }

  @Test
  void irregularPassesChangeNoBitOfAnAnswer() throws Exception {
    ModelOpener.Opened opened = new ModelOpener(OptionalInt.of(2)).open(Optional.empty(), Optional.empty(), KvCacheOptions.DEFAULT, (bytes, total) -> {});
    int[] prompt = opened.tokenizer().encodeWithSpecials("The quick brown fox jumps over the lazy dog. ".repeat(20), false);
    GenerationRequest request = new GenerationRequest(prompt, 12, SamplingParameters.GREEDY, List.of(), 20, true, Long.MAX_VALUE);
    AtomicLong now = new AtomicLong();
    // Per token: 1 to 23 ms, in an order without rhythm.
    Timing timed = new Timing(now, pass -> (1 + pass * 7919L % 23) * MILLISECOND);
    RecordingListener whole = new RecordingListener();
    RecordingListener cut = new RecordingListener();
    try (Engine engine = new SequentialEngine(opened.info(), opened.loaded().model(), opened.tokenizer(), new EngineOptions(1, 256))) {
      engine.submit(request, whole);
      whole.result();
    }
    try (Engine engine = new SequentialEngine(opened.info(), new ForwardingModel(opened.loaded().model(), timed::pass), opened.tokenizer(), OPTIONS, EngineObserver.NONE, now::get)) {
      engine.submit(request, cut);
      cut.result();
    }
    List<Integer> sizes = timed.passes.subList(0, timed.passes.size() - 11);
    assertThat(sizes.stream().mapToInt(Integer::intValue).sum()).isEqualTo(prompt.length);
    assertThat(sizes).as("of several sizes").hasSizeGreaterThan(8).contains(8, 16);
    assertThat(new ArrayList<>(cut.tokens)).as("tokens, their probabilities, and those of 20 others").isEqualTo(new ArrayList<>(whole.tokens));
  }

  @Test
  void aPassOverAPromptIsGivenUpWithinALayer() throws Exception {
    ModelOpener.Opened opened = new ModelOpener(OptionalInt.of(1)).open(Optional.empty(), Optional.empty(), KvCacheOptions.DEFAULT, (bytes, total) -> {});
    int[] prompt = new int[900];
    Arrays.fill(prompt, 50);
    CompletableFuture<Generation> generation = new CompletableFuture<>();
    AtomicLong now = new AtomicLong();
    List<Long> steps = Collections.synchronizedList(new ArrayList<>());
    // The client leaves in the third layer, by when a pass of this busy machine has taken a second.
    Timing timed = new Timing(now, pass -> 0);
    timed.asked = () -> {
      now.addAndGet(170 * MILLISECOND);
      steps.add(now.get());
      if (steps.size() == 6) {
        generation.join().cancel();
      }
    };
    try (SequentialEngine engine = new SequentialEngine(opened.info(), new ForwardingModel(opened.loaded().model(), timed::pass), opened.tokenizer(), new EngineOptions(1, 256), EngineObserver.NONE, now::get)) {
      RecordingListener listener = new RecordingListener();
      generation.complete(engine.submit(new GenerationRequest(prompt, 5, SamplingParameters.GREEDY, List.of(), -1, false, Long.MAX_VALUE), listener));
      assertThat(listener.error().error()).isEqualTo(EngineError.CANCELLED);
      assertThat(timed.passes).as("it was the first").containsExactly(256);
      assertThat(steps).as("and not asked again").hasSize(6);
      // The engine goes on with others, and so does the model.
      timed.asked = () -> {};
      RecordingListener next = new RecordingListener();
      engine.submit(new GenerationRequest(prompt, 5, SamplingParameters.GREEDY, List.of(), -1, true, Long.MAX_VALUE), next);
      assertThat(next.result().completionTokens()).isEqualTo(5);
    }
  }

  @Test
  void aDeadlinePassesWithinAPass() throws Exception {
    ModelOpener.Opened opened = new ModelOpener(OptionalInt.of(1)).open(Optional.empty(), Optional.empty(), KvCacheOptions.DEFAULT, (bytes, total) -> {});
    int[] prompt = new int[900];
    Arrays.fill(prompt, 50);
    AtomicLong now = new AtomicLong();
    Timing timed = new Timing(now, pass -> 0);
    timed.asked = () -> now.addAndGet(100 * MILLISECOND);
    try (SequentialEngine engine = new SequentialEngine(opened.info(), new ForwardingModel(opened.loaded().model(), timed::pass), opened.tokenizer(), new EngineOptions(1, 256), EngineObserver.NONE, now::get)) {
      RecordingListener listener = new RecordingListener();
      engine.submit(new GenerationRequest(prompt, 5, SamplingParameters.GREEDY, List.of(), -1, false, 350 * MILLISECOND), listener);
      assertThat(listener.error().error()).isEqualTo(EngineError.DEADLINE_EXCEEDED);
      assertThat(now.get()).as("the fourth look found it passed").isEqualTo(400 * MILLISECOND);
    }
  }
}
