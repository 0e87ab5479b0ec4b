package dev.nibble.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.nibble.HomeFile;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.Products;
import dev.nibble.kernel.TestModes;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.Decoder;
import dev.nibble.model.DecoderLoader;
import dev.nibble.model.LanguageModel;
import dev.nibble.model.family.Families;
import dev.nibble.model.kvcache.KvCacheOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PerplexityTest {
  @TempDir
  Path folder;

  private Decoder model(WorkerPool pool) throws IOException {
    return DecoderLoader.load(GgufFile.open(new HomeFile().write(folder.resolve("home.gguf"))), Families.KNOWN, new Products(pool, TestModes.best()), new NativeMemory(), KvCacheOptions.EXACT);
  }

  /** By the definition, a token at a time. */
  private static double expected(Decoder model, int[] ids, int window, OptionalInt beginning) {
    double sum = 0;
    int count = 0;
    float[] logits = new float[model.vocabularySize()];
    for (int from = 0; from + window <= ids.length; from += window) {
      try (LanguageModel.Sequence sequence = model.newSequence(window)) {
        for (int i = 0; i < window - 1; i++) {
          sequence.append(new int[] {i == 0 && beginning.isPresent() ? beginning.getAsInt() : ids[from + i]}, 0, 1, logits);
          if (i >= window / 2) {
            double all = 0;
            for (float logit : logits) {
              all += Math.exp(logit);
            }
            sum += Math.log(all) - logits[ids[from + i + 1]];
            count++;
          }
        }
      }
    }
    return Math.exp(sum / count);
  }

  @Test
  void isWhatItsDefinitionSays() throws IOException {
    try (WorkerPool pool = new WorkerPool(2)) {
      Decoder model = model(pool);
      int[] ids = new Random(3).ints(1100, 0, model.vocabularySize()).toArray();
      for (int window : new int[] {33, 512}) {
        for (OptionalInt beginning : new OptionalInt[] {OptionalInt.empty(), OptionalInt.of(1)}) {
          Perplexity.Result result = Perplexity.of(model, ids, window, beginning, (windows, of) -> {});
          assertThat(result.predictions()).isEqualTo(ids.length / window * (window - 1 - window / 2));
          double expected = expected(model, ids, window, beginning);
          assertThat(result.perplexity()).as("window %d", window).isCloseTo(expected, within(1e-9 * expected));
          assertThat(result.error()).isPositive().isLessThan(result.perplexity());
        }
      }
    }
  }

  @Test
  void whatCanNotBeMeasuredIsRefused() throws IOException {
    try (WorkerPool pool = new WorkerPool(1)) {
      Decoder model = model(pool);
      assertThatThrownBy(() -> Perplexity.of(model, new int[100], 512, OptionalInt.empty(), (windows, of) -> {})).hasMessage("the text has 100 tokens, fewer than a window of 512");
      assertThatThrownBy(() -> Perplexity.of(model, new int[100], 3, OptionalInt.empty(), (windows, of) -> {})).hasMessage("the window is 3 tokens; allowed with this model: 4 to 1024");
      assertThatThrownBy(() -> Perplexity.of(model, new int[9999], 2000, OptionalInt.empty(), (windows, of) -> {})).hasMessageContaining("allowed with this model: 4 to 1024");
    }
  }
}
