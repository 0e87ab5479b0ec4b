package dev.nibble.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.nibble.SharedFixtures;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.kernel.KernelProvider;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.Products;
import dev.nibble.kernel.TestModes;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.family.Families;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.quant.GgufConverter;
import dev.nibble.quant.HuggingFaceModel;
import dev.nibble.quant.Llama2cModel;
import dev.nibble.quant.ModelSource;
import dev.nibble.quant.QuantizationScheme;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real models against logits and greedy continuations computed by others. */
final class DecoderTest {
  @TempDir
  Path folder;

  @Test
  void stories260KInFloatsAgreesWithItsReference() throws Exception {
    JsonNode reference = new ObjectMapper().readTree(SharedFixtures.require("models/stories260K/reference.json").toFile());
    ModelSource source = Llama2cModel.open(SharedFixtures.require("models/stories260K/stories260K.bin"));
    try (WorkerPool pool = new WorkerPool(2)) {
      check(load(source, QuantizationScheme.F32, new Products(pool, TestModes.best()), KvCacheOptions.EXACT), reference, "logits_after_prompt", 1e-3f);
    }
  }

  @Test
  void homeInFloatsAgreesWithItsReference() throws Exception {
    JsonNode reference = new ObjectMapper().readTree(SharedFixtures.require("models/home/reference.json").toFile());
    ModelSource source = HuggingFaceModel.open(SharedFixtures.require("models/home"));
    try (WorkerPool pool = new WorkerPool(2)) {
      Decoder model = load(source, QuantizationScheme.F32, new Products(pool, TestModes.best()), KvCacheOptions.EXACT);
      assertThat(reference.path("cases").size()).isPositive();
      for (JsonNode reached : reference.path("cases")) {
        int[] prompt = ids(reached.path("ids"));
        assertThat(reached.path("greedy_ids").size()).isPositive();
        assertThat(greedy(model, prompt, reached.path("greedy_ids").size(), new float[model.vocabularySize()]))
            .as(reached.path("text").asText()).isEqualTo(ids(reached.path("greedy_ids")));
      }
    }
  }

  private static void check(Decoder model, JsonNode reference, String logitsField, float tolerance) {
    assertThat(reference.path("cases").size()).isPositive();
    for (JsonNode reached : reference.path("cases")) {
      int[] prompt = ids(reached.path("prompt_ids"));
      int[] whole = ids(reached.path("greedy_ids"));
      float[] logits = new float[model.vocabularySize()];
      int[] made = greedy(model, prompt, whole.length - prompt.length, logits);
      JsonNode expected = reached.path(logitsField);
      for (int i = 0; i < logits.length; i++) {
        assertThat(logits[i]).as("logit %d after \"%s\"", i, reached.path("prompt").asText())
            .isCloseTo((float) expected.get(i).asDouble(), org.assertj.core.data.Offset.offset(tolerance));
      }
      assertThat(made).as(reached.path("prompt").asText()).isEqualTo(Arrays.copyOfRange(whole, prompt.length, whole.length));
    }
  }

  /** Greedy continuation; {@code first} receives the logits after the prompt. */
  private static int[] greedy(Decoder model, int[] prompt, int count, float[] first) {
    float[] logits = new float[model.vocabularySize()];
    int[] made = new int[count];
    try (LanguageModel.Sequence sequence = model.newSequence(prompt.length + count)) {
      sequence.append(prompt, 0, prompt.length, logits);
      System.arraycopy(logits, 0, first, 0, logits.length);
      for (int i = 0; i < count; i++) {
        for (int id = 1; id < logits.length; id++) {
          made[i] = logits[id] > logits[made[i]] ? id : made[i];
        }
        if (i + 1 < count) {
          sequence.append(made, i, 1, logits);
        }
      }
    }
    return made;
  }

  @Test
  void bitsDependNeitherOnThreadsNorBatchesNorVectors() throws Exception {
    JsonNode reference = new ObjectMapper().readTree(SharedFixtures.require("models/home/reference.json").toFile());
    ModelSource source = HuggingFaceModel.open(SharedFixtures.require("models/home"));
    int[] ids = new int[200];
    int[] some = ids(reference.path("cases").get(0).path("ids"));
    for (int i = 0; i < ids.length; i++) {
      ids[i] = i < some.length ? some[i] : (300 + 7919 * i) % 2000;
    }
    for (KvCacheOptions cache : List.of(KvCacheOptions.EXACT, KvCacheOptions.DEFAULT, KvCacheOptions.of(Optional.of("4"), Optional.of("2"), 0, true))) {
      float[] expected = null;
      for (int threads = 1; threads <= 3; threads++) {
        for (KernelProvider mode : TestModes.all()) {
          try (WorkerPool pool = new WorkerPool(threads)) {
            Decoder model = load(source, QuantizationScheme.Q4_0, new Products(pool, mode), cache);
            for (int batch : new int[] {1, 7, 64, 200}) {
              float[] logits = new float[model.vocabularySize()];
              try (LanguageModel.Sequence sequence = model.newSequence(ids.length)) {
                for (int at = 0; at < ids.length; at += batch) {
                  sequence.append(ids, at, Math.min(batch, ids.length - at), logits);
                }
              }
              expected = expected == null ? logits : expected;
              assertThat(logits).as("%s cache, %d threads, %s, %d tokens at a time", cache, threads, mode, batch).containsExactly(expected);
            }
          }
        }
      }
    }
  }

  @Test
  void refusesTokensThatDoNotFitAndLeavesTheSequenceAsItWas() throws Exception {
    ModelSource source = Llama2cModel.open(SharedFixtures.require("models/stories260K/stories260K.bin"));
    try (WorkerPool pool = new WorkerPool(1)) {
      Decoder model = load(source, QuantizationScheme.F32, new Products(pool, TestModes.best()), KvCacheOptions.DEFAULT);
      try (LanguageModel.Sequence sequence = model.newSequence(2)) {
        assertThatThrownBy(() -> sequence.append(new int[] {1, 512}, 0, 2, null)).hasMessage("token id 512 is outside the vocabulary of 512");
        assertThatThrownBy(() -> sequence.append(new int[3], 0, 3, null)).hasMessage("3 tokens do not fit: the sequence holds 0 of 2");
        assertThat(sequence.length()).isZero();
      }
    }
  }

  private Decoder load(ModelSource source, QuantizationScheme scheme, Products products, KvCacheOptions cache) throws Exception {
    Path file = folder.resolve(source.name() + "-" + scheme + ".gguf");
    GgufConverter.quantize(source, file, scheme, Map.of(), model -> {}, (done, total, tensor) -> {});
    return DecoderLoader.load(GgufFile.open(file), Families.KNOWN, products, new NativeMemory(), cache);
  }

  private static int[] ids(JsonNode list) {
    int[] ids = new int[list.size()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = list.get(i).asInt();
    }
    return ids;
  }
}
