package dev.nibble.model.family;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.nibble.SharedFixtures;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.Products;
import dev.nibble.kernel.TestModes;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.Batch;
import dev.nibble.model.Decoder;
import dev.nibble.model.DecoderLoader;
import dev.nibble.model.LanguageModel;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.quant.GgufConverter;
import dev.nibble.quant.HuggingFaceModel;
import dev.nibble.quant.QuantizationScheme;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tiny checkpoints of each family, converted, against what the transformers library computes of them in double precision. */
final class FamiliesTest {
  /** Of logits: ours are sums of 32-bit floats, and theirs differ by 3e-5 in the library's own float32. */
  private static final double TOLERANCE = 1e-4;

  @TempDir
  Path folder;

  private static int[] ids(JsonNode list) {
    int[] ids = new int[list.size()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = list.get(i).asInt();
    }
    return ids;
  }

  private Decoder load(Path checkpoint, Families families, WorkerPool pool) throws IOException {
    Path file = folder.resolve("model.gguf");
    GgufConverter.quantize(HuggingFaceModel.open(checkpoint, families), file, QuantizationScheme.F32, Map.of(), model -> {}, (done, total, tensor) -> {});
    return DecoderLoader.load(GgufFile.open(file), families, new Products(pool, TestModes.best()), new NativeMemory(), KvCacheOptions.EXACT);
  }

  @ParameterizedTest
  @ValueSource(strings = {
      "llama", "llama-rope3", "llama-bias", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi3", "phi3-longrope"})
  void logitsAndGreedyIdsAreTheLibrarys(String name) throws IOException {
    Path checkpoint = SharedFixtures.require("reference/families/" + name);
    check(checkpoint, Families.KNOWN, name);
  }

  /** The configuration as most published models have it. */
  @ParameterizedTest
  @ValueSource(strings = {"llama", "llama-rope3", "llama-bias", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi3", "phi3-longrope"})
  void olderConfigurationsSayTheSame(String name) throws IOException {
    Path from = SharedFixtures.require("reference/families/" + name);
    Path checkpoint = Files.createDirectory(folder.resolve("older"));
    Files.copy(from.resolve("config-v4.json"), checkpoint.resolve("config.json"));
    Files.copy(from.resolve("model.safetensors"), checkpoint.resolve("model.safetensors"));
    Files.copy(from.resolve("reference.json"), checkpoint.resolve("reference.json"));
    check(checkpoint, Families.KNOWN, name);
  }

  /** A Qwen 3 under another name, which is opened and computed by {@link Nimbus} alone. */
  @Test
  void aNewFamilyOfKnownPartsIsOneFile() throws IOException {
    Path from = SharedFixtures.require("reference/families/qwen3");
    Path checkpoint = Files.createDirectory(folder.resolve("nimbus"));
    Files.writeString(checkpoint.resolve("config.json"), Files.readString(from.resolve("config.json")).replace("Qwen3ForCausalLM", "NimbusForCausalLM"));
    Files.copy(from.resolve("model.safetensors"), checkpoint.resolve("model.safetensors"));
    Files.copy(from.resolve("reference.json"), checkpoint.resolve("reference.json"));
    assertThatThrownBy(() -> HuggingFaceModel.open(checkpoint)).hasMessageContaining("NimbusForCausalLM");
    check(checkpoint, Families.KNOWN.with(new Nimbus()), "nimbus");
  }

  private void check(Path checkpoint, Families families, String name) throws IOException {
    JsonNode sequences = new ObjectMapper().readTree(checkpoint.resolve("reference.json").toFile()).path("sequences");
    assertThat(sequences.size()).isEqualTo(3);
    try (WorkerPool pool = new WorkerPool(2)) {
      Decoder model = load(checkpoint, families, pool);
      for (int s = 0; s < sequences.size(); s++) {
        if (name.equals("phi3-longrope") && s == 0) {
          continue; // this file's context asks for the long factors; the library takes the short ones as long as a sequence is short
        }
        JsonNode expected = sequences.get(s);
        int[] ids = ids(expected.path("ids"));
        int[] greedy = ids(expected.path("greedy"));
        assertThat(greedy).isNotEmpty();
        JsonNode logits = expected.path("logits");
        try (LanguageModel.Sequence sequence = model.newSequence(ids.length + greedy.length)) {
          boolean all = logits.size() == ids.length;
          int[] seen = {0};
          float[] last = new float[model.vocabularySize()];
          String what = name + ", sequence " + s;
          model.forward(new Batch().add(sequence, ids, 0, ids.length, all ? Batch.Outputs.ALL : Batch.Outputs.LAST), model.newWorkspace(ids.length),
              (slice, token, computed, at) -> {
                JsonNode row = logits.get(all ? token : 0);
                for (int i = 0; i < row.size(); i++) {
                  assertThat((double) computed[at + i]).as("%s, after token %d, logit %d", what, token, i).isCloseTo(row.get(i).asDouble(), within(TOLERANCE));
                }
                System.arraycopy(computed, at, last, 0, last.length);
                seen[0]++;
              }, () -> false);
          assertThat(seen[0]).isEqualTo(logits.size());
          for (int step = 0; step < greedy.length; step++) {
            int best = 0;
            for (int id = 1; id < last.length; id++) {
              best = last[id] > last[best] ? id : best;
            }
            assertThat(best).as("%s, greedy id %d", what, step).isEqualTo(greedy[step]);
            sequence.append(new int[] {best}, 0, 1, last);
          }
        }
      }
    }
  }

  @Test
  void whatIsNotKnownIsRefusedByName() throws IOException {
    Path checkpoint = SharedFixtures.require("reference/families/bloom");
    assertThatThrownBy(() -> HuggingFaceModel.open(checkpoint)).hasMessageContaining("architectures is [\"BloomForCausalLM\"]; supported: ")
        .hasMessageContaining("Gemma3ForCausalLM, GemmaForCausalLM, LlamaForCausalLM, MistralForCausalLM, Phi3ForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM");
  }
}
