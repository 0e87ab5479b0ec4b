package dev.nibble.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.nibble.SharedFixtures;
import dev.nibble.kernel.KernelMode;
import dev.nibble.kernel.NumericFormat;
import dev.nibble.kernel.PageFormat;
import dev.nibble.kernel.Products;
import dev.nibble.kernel.TestModes;
import dev.nibble.kernel.TilePacker;
import dev.nibble.kernel.TiledMatrix;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.LlamaConfig.RopePairs;
import dev.nibble.model.kvcache.KvCacheFormat;
import dev.nibble.quant.BlockQuantizer;
import dev.nibble.quant.HuggingFaceLlama;
import dev.nibble.quant.Llama2cModel;
import dev.nibble.quant.LlamaShape;
import dev.nibble.quant.ModelSource;
import dev.nibble.quant.SourceTensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Real models against logits and greedy continuations computed by others. */
final class LlamaModelTest {
  @Test
  void stories260KInFloatsAgreesWithItsReference() throws Exception {
    JsonNode reference = new ObjectMapper().readTree(SharedFixtures.require("models/stories260K/reference.json").toFile());
    ModelSource source = Llama2cModel.open(SharedFixtures.require("models/stories260K/stories260K.bin"));
    try (WorkerPool pool = new WorkerPool(2)) {
      check(load(source, NumericFormat.F32, new Products(pool, TestModes.best()), KvCacheFormat.F32), reference, "logits_after_prompt", 1e-3f);
    }
  }

  @Test
  void homeInFloatsAgreesWithItsReference() throws Exception {
    JsonNode reference = new ObjectMapper().readTree(SharedFixtures.require("models/home/reference.json").toFile());
    ModelSource source = HuggingFaceLlama.open(SharedFixtures.require("models/home"));
    try (WorkerPool pool = new WorkerPool(2)) {
      LlamaModel model = load(source, NumericFormat.F32, new Products(pool, TestModes.best()), KvCacheFormat.F32);
      assertThat(reference.path("cases").size()).isPositive();
      for (JsonNode reached : reference.path("cases")) {
        int[] prompt = ids(reached.path("ids"));
        assertThat(reached.path("greedy_ids").size()).isPositive();
        assertThat(greedy(model, prompt, reached.path("greedy_ids").size(), new float[model.vocabularySize()]))
            .as(reached.path("text").asText()).isEqualTo(ids(reached.path("greedy_ids")));
      }
    }
  }

  private static void check(LlamaModel model, JsonNode reference, String logitsField, float tolerance) {
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
  private static int[] greedy(LlamaModel model, int[] prompt, int count, float[] first) {
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
    ModelSource source = HuggingFaceLlama.open(SharedFixtures.require("models/home"));
    int[] ids = new int[200];
    int[] some = ids(reference.path("cases").get(0).path("ids"));
    for (int i = 0; i < ids.length; i++) {
      ids[i] = i < some.length ? some[i] : (300 + 7919 * i) % 2000;
    }
    for (KvCacheFormat cache : List.of(KvCacheFormat.F32, KvCacheFormat.INT8, new KvCacheFormat(PageFormat.INT4, PageFormat.INT2, 0, true))) {
      float[] expected = null;
      for (int threads = 1; threads <= 3; threads++) {
        for (KernelMode mode : TestModes.all()) {
          try (WorkerPool pool = new WorkerPool(threads)) {
            LlamaModel model = load(source, NumericFormat.Q4_0, new Products(pool, mode), cache);
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
      LlamaModel model = load(source, NumericFormat.F32, new Products(pool, TestModes.best()), KvCacheFormat.INT8);
      try (LanguageModel.Sequence sequence = model.newSequence(2)) {
        assertThatThrownBy(() -> sequence.append(new int[] {1, 512}, 0, 2, null)).hasMessage("token id 512 is outside the vocabulary of 512");
        assertThatThrownBy(() -> sequence.append(new int[3], 0, 3, null)).hasMessage("3 tokens do not fit: the sequence holds 0 of 2");
        assertThat(sequence.length()).isZero();
      }
    }
  }

  private static LlamaModel load(ModelSource source, NumericFormat format, Products products, KvCacheFormat cache) throws Exception {
    LlamaShape shape = source.shape();
    Map<String, SourceTensor> tensors = new HashMap<>();
    source.tensors().forEach(tensor -> tensors.put(tensor.name(), tensor));
    List<LlamaWeights.Layer> layers = new ArrayList<>();
    for (int i = 0; i < shape.blockCount(); i++) {
      String block = "blk." + i + ".";
      layers.add(new LlamaWeights.Layer(
          floats(tensors.get(block + "attn_norm.weight")), matrix(tensors.get(block + "attn_q.weight"), format, products),
          matrix(tensors.get(block + "attn_k.weight"), format, products), matrix(tensors.get(block + "attn_v.weight"), format, products),
          matrix(tensors.get(block + "attn_output.weight"), format, products), floats(tensors.get(block + "ffn_norm.weight")),
          matrix(tensors.get(block + "ffn_gate.weight"), format, products), matrix(tensors.get(block + "ffn_up.weight"), format, products),
          matrix(tensors.get(block + "ffn_down.weight"), format, products)));
    }
    TiledMatrix embedding = matrix(tensors.get("token_embd.weight"), format, products);
    TiledMatrix output = shape.sharedOutput() ? embedding : matrix(tensors.get("output.weight"), format, products);
    LlamaConfig config = new LlamaConfig(shape.embeddingLength(), shape.feedForwardLength(), shape.blockCount(), shape.headCount(),
        shape.keyValueHeadCount(), shape.headLength(), shape.vocabularySize(), shape.contextLength(), shape.normEpsilon(), shape.ropeBase(),
        RopePairs.ADJACENT);
    return new LlamaModel(config, new LlamaWeights(embedding, layers, floats(tensors.get("output_norm.weight")), output), products, cache);
  }

  private static float[] floats(SourceTensor tensor) {
    float[] weights = new float[tensor.rows() * tensor.columns()];
    tensor.reader().read(0, tensor.rows(), weights);
    return weights;
  }

  private static TiledMatrix matrix(SourceTensor tensor, NumericFormat format, Products products) throws Exception {
    float[] weights = floats(tensor);
    byte[] data = new byte[(int) format.bytes(weights.length)];
    BlockQuantizer.quantize(format, weights, 0, weights.length, data, 0);
    Arena arena = Arena.ofAuto();
    MemorySegment segment = arena.allocate(data.length, 8);
    MemorySegment.copy(data, 0, segment, ValueLayout.JAVA_BYTE, 0, data.length);
    return TilePacker.pack(format, segment, tensor.rows(), tensor.columns(), arena, products.pool());
  }

  private static int[] ids(JsonNode list) {
    int[] ids = new int[list.size()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = list.get(i).asInt();
    }
    return ids;
  }
}
