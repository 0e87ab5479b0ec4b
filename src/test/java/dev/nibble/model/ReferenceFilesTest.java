package dev.nibble.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.nibble.SharedFixtures;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole files of many formats, written by llama.cpp: their weights are those that its logits come from, and what becomes of them in tiles changes little. */
final class ReferenceFilesTest {
  /** What llama.cpp itself, with inputs in 8 bits, is off by at most. */
  private static final float ROUNDED_INPUTS = 0.21f;
  private static final float FLOATS = 1e-4f;

  @TempDir
  Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"q4_1", "q5_0", "q5_1", "q2_k", "q3_k_m", "q4_k_m", "q5_k_m", "q6_k", "iq2_xs", "iq3_s", "iq4_nl", "iq4_xs"})
  void weightsDecodedToFloatsGiveTheReferencesLogits(String name) throws IOException {
    Path floats = folder.resolve("floats.gguf");
    GgufWriter writer = new GgufWriter();
    try (GgufFile file = GgufFile.open(SharedFixtures.require("reference/gguf/home-" + name + ".gguf"))) {
      for (String key : file.metadata().keys()) {
        writer.metadata(key, file.metadata().find(key).orElseThrow());
      }
      for (GgufTensor tensor : file.tensors()) {
        byte[] blocks = new byte[Math.toIntExact(tensor.bytes())];
        file.source(tensor).read(0, blocks, blocks.length);
        float[] weights = tensor.type().codec().decode(blocks, Math.toIntExact(tensor.elements()));
        writer.tensor(tensor.name(), tensor.shape().stream().mapToLong(Long::longValue).toArray(), TensorFormat.F32,
            channel -> channel.write(ByteBuffer.wrap(TensorFormat.F32.encoder().encode(weights))));
      }
    }
    writer.write(floats);
    check(floats, name, FLOATS);
  }

  @ParameterizedTest
  @ValueSource(strings = {"q4_1", "q5_0", "q5_1", "q2_k", "q3_k_m", "q4_k_m", "q5_k_m", "q6_k", "iq2_xs", "iq3_s", "iq4_nl", "iq4_xs"})
  void tilesAreAsCloseAsRoundedInputsAllow(String name) throws IOException {
    check(SharedFixtures.require("reference/gguf/home-" + name + ".gguf"), name, ROUNDED_INPUTS);
  }

  @Test
  void lossesAreTold() throws IOException {
    assertThat(remarks("q4_1")).isEmpty();
    assertThat(remarks("q4_k_m")).singleElement().asString().startsWith("Weights of ")
        .endsWith("home-q4_k_m.gguf in Q4_K are computed with a loss: the scale and the minimum of each 32 weights are rounded to FP16.");
  }

  private static List<String> remarks(String name) throws IOException {
    List<String> remarks = new ArrayList<>();
    try (ModelFile file = GgufFile.open(SharedFixtures.require("reference/gguf/home-" + name + ".gguf"))) {
      DecoderLoader.load(file, new WorkerPool(1), KvCacheOptions.EXACT, new DecoderLoader.Progress() {
        @Override
        public void packed(long bytes, long totalBytes) {}

        @Override
        public void remark(String sentence) {
          remarks.add(sentence);
        }
      });
    }
    return remarks;
  }

  private static void check(Path model, String name, float tolerance) throws IOException {
    JsonNode reference = new ObjectMapper().readTree(SharedFixtures.require("reference/gguf/home-" + name + ".json").toFile());
    try (ModelFile file = GgufFile.open(model)) {
      Decoder loaded = DecoderLoader.load(file, new WorkerPool(2), KvCacheOptions.EXACT, (done, total) -> {}).model();
      assertThat(reference.path("cases").size()).isEqualTo(5);
      for (JsonNode reached : reference.path("cases")) {
        int[] ids = new int[reached.path("ids").size()];
        for (int i = 0; i < ids.length; i++) {
          ids[i] = reached.path("ids").get(i).asInt();
        }
        float[] logits = new float[loaded.vocabularySize()];
        try (LanguageModel.Sequence sequence = loaded.newSequence(ids.length)) {
          sequence.append(ids, 0, ids.length, logits);
        }
        float largest = 0;
        for (int i = 0; i < logits.length; i++) {
          largest = Math.max(largest, Math.abs(logits[i] - (float) reached.path("logits").get(i).asDouble()));
        }
        assertThat(largest).as("largest difference of a logit after %d tokens", ids.length).isCloseTo(0, within(tolerance));
      }
    }
  }
}
