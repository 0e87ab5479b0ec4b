package dev.nibble.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.runtime.ModelOpener;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** A limit of the memory for keys and values, with the embedded model. */
final class KvMemoryTest {
  private static final int WORD = 300; // an id

  private static ModelOpener.Opened open(String memory) throws IOException {
    return new ModelOpener(OptionalInt.of(2)).open(Optional.empty(), Optional.empty(), KvCacheOptions.DEFAULT.within(Optional.of(memory)), (done, total) -> {});
  }

  private static GenerationRequest request(int promptTokens, int maxTokens) {
    int[] ids = new int[promptTokens];
    Arrays.fill(ids, WORD);
    return new GenerationRequest(ids, maxTokens, SamplingParameters.GREEDY, List.of(), -1, true, Long.MAX_VALUE);
  }

  private static EngineException refusal(Engine engine, int promptTokens, int maxTokens) {
    return catchThrowableOfType(EngineException.class, () -> engine.submit(request(promptTokens, maxTokens), new RecordingListener()));
  }

  @Test
  void whatDoesNotFitIsRefusedAndWhatRunsGoesOn() throws Exception {
    ModelOpener.Opened opened = open("1M");
    int longest = opened.loaded().model().longestSequence();
    assertThat(longest).isBetween(64, opened.loaded().model().contextLength() - 1);
    try (Engine engine = new SequentialEngine(opened.info(), opened.loaded().model(), opened.tokenizer(), EngineOptions.DEFAULT)) {
      assertThat(engine.longestSequence()).isEqualTo(longest);
      RecordingListener running = new RecordingListener();
      engine.submit(request(longest - 40, 40), running);
      EngineException refusal = refusal(engine, longest - 40, 41);
      assertThat(refusal.error()).isEqualTo(EngineError.KV_MEMORY_EXCEEDED);
      assertThat(refusal.metadata()).containsEntry("longest_sequence", Integer.toString(longest)).containsEntry("max_tokens", "41");
      assertThat(refusal(engine, longest, 0).error()).isEqualTo(EngineError.KV_MEMORY_EXCEEDED);
      assertThat(running.result().completionTokens()).isEqualTo(40);
      // Again and again: pages given back count as free.
      for (int i = 0; i < 3; i++) {
        RecordingListener listener = new RecordingListener();
        engine.submit(request(longest - 10 + i, 0), listener);
        assertThat(listener.result().completionTokens()).as("as many as the memory leaves").isEqualTo(10 - i);
      }
      assertThat(opened.loaded().model().pages().usedBytes()).isZero();
      assertThat(opened.loaded().model().pages().allocatedBytes()).isLessThanOrEqualTo(1 << 20);
    }
  }

  @Test
  void byDefaultHalfOfTheHeapIsThere() {
    assertThat(KvCacheOptions.DEFAULT.memoryLimit()).isEqualTo(Runtime.getRuntime().maxMemory() / 2);
    assertThat(KvCacheOptions.DEFAULT.within(Optional.of("3k")).memoryLimit()).isEqualTo(3072);
  }
}
