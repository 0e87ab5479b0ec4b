package dev.nibble.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.runtime.ModelOpener;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** An answer that begins with given tokens goes on as the whole one would have. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class ContinuationTest {
  private static final int LENGTH = 40;
  private SequentialEngine engine;

  @BeforeAll
  void open() throws Exception {
    ModelOpener.Opened opened = new ModelOpener(OptionalInt.of(1)).open(Optional.empty(), Optional.empty(), KvCacheOptions.DEFAULT, (bytes, total) -> {});
    engine = new SequentialEngine(opened.info(), opened.loaded().model(), opened.tokenizer(), EngineOptions.DEFAULT);
  }

  @AfterAll
  void close() {
    engine.close();
  }

  static List<SamplingParameters> samplings() {
    return List.of(
        SamplingParameters.GREEDY,
        new SamplingParameters(1, 0, 1, 0, 1, 0, 0, Map.of(), 7),
        new SamplingParameters(0.8f, 20, 0.9f, 0.02f, 1.2f, 0.5f, 0.3f, Map.of(5, 2f), 99));
  }

  private GenerationRequest request(SamplingParameters sampling, List<String> stop) {
    return new GenerationRequest(engine.tokenizer().encodeWithSpecials("Once upon a time", false), LENGTH, sampling, stop, 0, true, Long.MAX_VALUE);
  }

  private RecordingListener answer(GenerationRequest request) {
    RecordingListener listener = new RecordingListener();
    engine.submit(request, listener);
    return listener;
  }

  @ParameterizedTest
  @MethodSource("samplings")
  void goesOnAsTheWholeAnswer(SamplingParameters sampling) throws Exception {
    GenerationRequest request = request(sampling, List.of());
    RecordingListener whole = answer(request);
    String text = whole.text();
    int[] ids = whole.ids();
    assertThat(ids).hasSize(LENGTH);
    for (int given : new int[] {1, 2, 13, 38, 39}) {
      RecordingListener rest = answer(request.after(Arrays.copyOf(ids, given)));
      String restText = rest.text();
      assertThat(rest.ids()).as("after %d", given).containsExactly(Arrays.copyOfRange(ids, given, LENGTH));
      // Log-probabilities come from the same logits, to the bit.
      assertThat(rest.tokens.stream().map(GeneratedToken::logProbability).toList())
          .isEqualTo(whole.tokens.subList(given, LENGTH).stream().map(GeneratedToken::logProbability).toList());
      StringBuilder beginning = new StringBuilder();
      whole.tokens.subList(0, given).forEach(token -> beginning.append(token.text()));
      assertThat(beginning + restText).isEqualTo(text);
      assertThat(rest.result().completionTokens()).isEqualTo(LENGTH);
      assertThat(rest.result().promptTokens()).isEqualTo(request.promptIds().length);
    }
  }

  @Test
  void findsStopStringsAcrossTheSeam() throws Exception {
    RecordingListener free = answer(request(SamplingParameters.GREEDY, List.of()));
    free.text();
    // A stop string whose beginning lies in token 9 and whose end in token 10.
    String before = free.tokens.get(9).text();
    String after = free.tokens.get(10).text();
    String stop = before.substring(before.length() - 1) + after.charAt(0);
    GenerationRequest request = request(SamplingParameters.GREEDY, List.of(stop));
    RecordingListener whole = answer(request);
    String text = whole.text();
    assertThat(whole.result().reason()).isEqualTo(FinishReason.STOP);
    int tokens = whole.tokens.size();
    for (int given = 1; given < tokens; given++) {
      StringBuilder beginning = new StringBuilder();
      whole.tokens.subList(0, given).forEach(token -> beginning.append(token.text()));
      RecordingListener rest = answer(request.after(Arrays.copyOf(whole.ids(), given)));
      assertThat(beginning + rest.text()).as("after %d", given).isEqualTo(text);
      assertThat(rest.result().reason()).isEqualTo(FinishReason.STOP);
    }
  }

  @Test
  void refusesABeginningThatCantBe() {
    GenerationRequest request = request(SamplingParameters.GREEDY, List.of());
    assertThatThrownBy(() -> answer(request.after(new int[LENGTH]))).isInstanceOf(EngineException.class).hasMessageContaining("begins with 40 tokens");
    assertThatThrownBy(() -> answer(request.after(new int[] {1, -1}))).isInstanceOf(EngineException.class).hasMessageContaining("Token 1 of the answer is -1");
  }

  @Test
  void refusesToRequireAnAcceleratorWithoutOne() {
    assertThatThrownBy(() -> answer(request(SamplingParameters.GREEDY, List.of()).withOffload(Optional.of(OffloadPolicy.REQUIRE))))
        .isInstanceOfSatisfying(EngineException.class, refusal -> assertThat(refusal.error()).isEqualTo(EngineError.ACCELERATOR_UNAVAILABLE));
  }
}
