package dev.nibble.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.HomeFile;
import dev.nibble.RealModels;
import dev.nibble.SharedFixtures;
import dev.nibble.SplitFile;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.gguf.GgufWriter;
import dev.nibble.model.MemoryNeed;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.tensor.TensorFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ModelReportTest {
  private static final Path HOME = Path.of("src/main/resources/models/nibble-home.gguf");

  @TempDir
  Path folder;

  private static ObjectNode json(Path path) throws IOException {
    return ModelReport.of(path).toJson();
  }

  private static JsonNode tensor(JsonNode report, String name) {
    return StreamSupport.stream(report.path("tensors").spliterator(), false).filter(tensor -> tensor.path("name").asText().equals(name)).findFirst().orElseThrow();
  }

  @Test
  void theEmbeddedModel() throws IOException {
    JsonNode report = json(HOME);
    assertThat(report.path("runs").asText()).isEqualTo("yes");
    assertThat(report.path("chat").asText()).isEqualTo("yes");
    assertThat(report.path("files").asInt()).isEqualTo(1);
    JsonNode model = report.path("model");
    assertThat(model.path("family").asText()).isEqualTo("llama");
    assertThat(model.path("layers").asInt()).isEqualTo(4);
    assertThat(model.path("width").asInt()).isEqualTo(256);
    assertThat(model.path("vocabulary").asInt()).isEqualTo(2048);
    assertThat(model.path("context").asInt()).isEqualTo(1024);
    assertThat(model.path("layer_kinds")).hasSize(1);
    JsonNode layer = model.at("/layer_kinds/0");
    assertThat(layer.path("layers").asText()).isEqualTo("0-3");
    assertThat(layer.path("window").isNull()).isTrue();
    assertThat(layer.path("position").path("kind").asText()).isEqualTo("rope");
    assertThat(layer.path("position").path("pairs").asText()).isEqualTo("adjacent");
    assertThat(layer.path("feed_forward").path("activation").asText()).isEqualTo("silu");
    JsonNode tokenizer = report.path("tokenizer");
    assertThat(tokenizer.path("kind").asText()).isEqualTo("byte-level BPE");
    assertThat(tokenizer.path("splitting").asText()).isEqualTo("gpt-2");
    assertThat(tokenizer.path("tokens").asInt()).isEqualTo(2048);
    assertThat(tokenizer.at("/eos/id").asInt()).isEqualTo(2044);
    assertThat(tokenizer.at("/eos/text").asText()).isEqualTo("<|end|>");
    assertThat(tokenizer.path("control_tokens").asInt()).isEqualTo(5);
    assertThat(report.at("/quantization/1/tile_layout").asText()).isEqualTo("INT4_SYMMETRIC");
    assertThat(tensor(report, "blk.0.attn_norm.weight").path("tile_layout").asText()).isEqualTo("floats");
    assertThat(tensor(report, "blk.0.attn_q.weight").path("tile_layout").asText()).isEqualTo("INT4_SYMMETRIC");
    try (GgufFile file = GgufFile.open(HOME)) {
      MemoryNeed need = MemoryNeed.of(file, KvCacheOptions.DEFAULT);
      assertThat(report.at("/memory/weights_bytes").asLong()).isEqualTo(need.weights());
      assertThat(report.at("/memory/keys_and_values_bytes").asLong()).isEqualTo(need.sequence());
      assertThat(report.at("/memory/together_bytes").asLong()).isEqualTo(need.weights() + need.sequence() + need.scratch());
    }
    assertThat(ModelReport.of(HOME).toText()).containsPattern("(?m)^runs {13}yes$").containsPattern("(?m)^  family +llama$").containsPattern("(?m)^    window +none$")
        .containsPattern("(?m)^    position +rope, base 10000\\.0, width 32, pairs adjacent, factor none$").containsPattern("(?m)^  eos +2044 \\(<\\|end\\|>\\)$")
        .contains("4.5000 bits per weight, in tiles INT4_SYMMETRIC\n");
  }

  /** The same model in one file, several, a pack, and as the checkpoint that it was made of. */
  @Test
  void theSameModelInEveryKindOfFile() throws IOException {
    JsonNode whole = json(HOME);
    JsonNode split = json(new SplitFile(HOME, 3, true).write(folder, "home"));
    Path pack = folder.resolve("home.nib");
    try (ModelOpener opener = new ModelOpener(OptionalInt.of(1))) {
      opener.pack(HOME, pack, (done, total) -> {});
    }
    JsonNode packed = json(pack);
    for (String section : new String[] {"model", "tokenizer", "memory", "runs", "chat", "parameters"}) {
      assertThat(split.path(section)).as(section).isEqualTo(whole.path(section));
      assertThat(packed.path(section)).as(section).isEqualTo(whole.path(section));
    }
    assertThat(split.path("files").asInt()).isEqualTo(3);
    assertThat(tensor(split, "output_norm.weight").path("file").asInt()).isEqualTo(3);
    assertThat(tensor(packed, "blk.0.attn_q.weight").path("tile_layout").asText()).isEqualTo("INT4_SYMMETRIC");
    assertThat(packed.path("files").isMissingNode()).isTrue();
    JsonNode checkpoint = json(SharedFixtures.require("models/home"));
    assertThat(checkpoint.path("model")).isEqualTo(whole.path("model"));
    assertThat(checkpoint.path("tokenizer").path("tokens")).isEqualTo(whole.path("tokenizer").path("tokens"));
    assertThat(checkpoint.path("converts").asText()).isEqualTo("yes");
    assertThat(checkpoint.path("chat").asText()).isEqualTo("yes");
    assertThat(checkpoint.path("parameters").asLong()).isEqualTo(3_672_320);
    assertThat(tensor(checkpoint, "model.norm.weight").path("tile_layout").asText()).isEqualTo("floats");
  }

  @Test
  void layersOfSeveralKindsAreToldApart() throws IOException {
    JsonNode model = json(SharedFixtures.require("reference/families/gemma3")).path("model");
    assertThat(model.path("family").asText()).isEqualTo("gemma3");
    assertThat(model.path("layer_kinds").size()).isGreaterThan(1);
    assertThat(model.at("/layer_kinds/0/query_key_norm/kind").asText()).isEqualTo("rms");
    assertThat(model.at("/layer_kinds/0/after_attention_norm/kind").asText()).isEqualTo("rms");
    assertThat(model.path("embedding_scale").asDouble()).isGreaterThan(1);
    JsonNode gemma2 = json(SharedFixtures.require("reference/families/gemma2")).path("model");
    assertThat(gemma2.path("logit_softcap").asDouble()).isPositive();
    assertThat(gemma2.at("/layer_kinds/0/score_softcap").asDouble()).isPositive();
    JsonNode phi = json(SharedFixtures.require("reference/families/phi3-longrope")).path("model");
    assertThat(phi.at("/layer_kinds/0/position/original_context").asInt()).isPositive();
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "llama-rope3", "llama-bias", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi3", "phi3-longrope"})
  void checkpointsOfEveryFamily(String name) throws IOException {
    ModelReport report = ModelReport.of(SharedFixtures.require("reference/families/" + name));
    assertThat(report.toJson().path("converts").asText()).isEqualTo("yes");
    assertThat(report.toJson().path("model").path("layers").asInt()).isPositive();
    assertThat(report.toText()).contains("layer kinds", "in tiles ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"gpt2", "bert", "mixtral"})
  void checkpointsThatCanNotBeConvertedAreToldAsFarAsTheyGo(String name) throws IOException {
    JsonNode report = json(SharedFixtures.require("reference/families/" + name));
    assertThat(report.path("converts").asText()).startsWith("no: ");
    assertThat(report.path("tensors").size()).isPositive();
    assertThat(report.path("model").isMissingNode()).isTrue();
  }

  @Test
  void whatTheFormatsOfAFileLose() throws IOException {
    JsonNode report = json(SharedFixtures.require("reference/gguf/home-q4_k_m.gguf"));
    JsonNode loses = StreamSupport.stream(report.path("quantization").spliterator(), false).filter(format -> format.path("type").asText().equals("Q4_K")).findFirst().orElseThrow();
    assertThat(loses.path("tile_layout").asText()).isEqualTo("INT4_AFFINE");
    assertThat(loses.path("loss").asText()).contains("rounded to FP16");
    assertThat(tensor(report, "blk.0.attn_q.weight").path("loss").asText()).contains("rounded to FP16");
  }

  @Test
  void realModels() throws IOException {
    JsonNode smollm = json(RealModels.SMOLLM2.file());
    assertThat(smollm.at("/model/layer_kinds/0/heads").asInt()).isEqualTo(9);
    assertThat(smollm.at("/model/layer_kinds/0/key_value_heads").asInt()).isEqualTo(3);
    assertThat(smollm.path("tokenizer").path("splitting").asText()).isEqualTo("smollm");
    JsonNode qwen = json(RealModels.QWEN25_CODER.file());
    assertThat(qwen.path("model").path("family").asText()).isEqualTo("qwen2");
    assertThat(qwen.path("tokenizer").path("normalization").asText()).isEqualTo("NFC");
    JsonNode gemma = json(RealModels.GEMMA3.file());
    assertThat(gemma.at("/model/layer_kinds/0/window").asInt()).isEqualTo(512);
    assertThat(gemma.at("/model/layer_kinds/0/layers").asText()).isEqualTo("0-4, 6-10, 12-16");
    assertThat(gemma.at("/tokenizer/kind").asText()).isEqualTo("SentencePiece BPE");
    assertThat(ModelReport.of(RealModels.GEMMA3.file()).toText().lines().mapToInt(String::length).max().orElseThrow()).isLessThan(500);
  }

  /** What can't be run is told like anything else, with the reason. */
  @Test
  void modelsThatDoNotRun() throws IOException {
    JsonNode unknown = json(new HomeFile().as("bloom").write(folder.resolve("unknown.gguf")));
    assertThat(unknown.path("runs").asText()).startsWith("no: the model in ").contains("its architecture is \"bloom\"");
    assertThat(unknown.path("model").isMissingNode()).isTrue();
    assertThat(unknown.path("tokenizer").path("tokens").asInt()).isEqualTo(2048);
    JsonNode poisoned = json(new HomeFile().poisoned("output_norm.weight", 3, Float.NaN).write(folder.resolve("poisoned.gguf")));
    assertThat(poisoned.path("runs").asText()).isEqualTo("no: the model in " + folder.resolve("poisoned.gguf") + " can't be run: tensor output_norm.weight has a weight that is not finite");
    assertThat(poisoned.path("model").path("layers").asInt()).isEqualTo(4);
    assertThat(poisoned.path("memory").isMissingNode()).isTrue();
    JsonNode silent = json(new HomeFile().without("tokenizer.ggml.model").write(folder.resolve("silent.gguf")));
    assertThat(silent.path("runs").asText()).startsWith("no: unusable vocabulary in ");
    assertThat(silent.path("chat").asText()).startsWith("no: unusable vocabulary in ");
    assertThat(silent.path("tokenizer").path("reason").asText()).contains("no tokenizer.ggml.model");
    assertThat(json(new HomeFile().with("general.architecture", GgufValue.uint32(1)).write(folder.resolve("number.gguf"))).path("runs").asText())
        .contains("general.architecture").endsWith("is UINT32, not a string");
  }

  @Test
  void whatIsNoModel() throws IOException {
    assertThatThrownBy(() -> ModelReport.of(folder)).isInstanceOf(IOException.class);
    Path weights = Files.write(folder.resolve("model.safetensors"), new byte[] {2, 0, 0, 0, 0, 0, 0, 0, '{', '}'});
    assertThatThrownBy(() -> ModelReport.of(weights)).hasMessageContaining("name the folder that it is in");
    assertThat(json(folder).path("converts").asText()).startsWith("no: ");
  }

  @Test
  void textsAreSafeForTerminalsAndNumbersAreThoseOfTheFile() throws IOException {
    Path file = folder.resolve("sample.gguf");
    new GgufWriter().metadata("general.name", GgufValue.text("evil \u001b[2J name")).metadata("general.architecture", GgufValue.text("llama"))
        .metadata("llama.context_length", GgufValue.uint32(77)).metadata("tokenizer.chat_template", GgufValue.text("\u202e"))
        .tensor("vector", new long[] {3}, TensorFormat.F32, channel -> channel.write(ByteBuffer.allocate(12)))
        .tensor("matrix", new long[] {64, 3}, TensorFormat.Q4_0, channel -> channel.write(ByteBuffer.allocate(108))).write(file);
    ModelReport report = ModelReport.of(file);
    assertThat(report.parameters()).isEqualTo(195);
    assertThat(report.bitsPerWeight()).isEqualTo(8.0 * 120 / 195);
    assertThat(report.toText()).contains("Q4_0", "64", "general.name", "77 tokens", "evil \\u001b[2J name").doesNotContain("\u001b", "\u202e");
    JsonNode json = report.toJson();
    assertThat(json.at("/quantization/1/bits_per_weight").asDouble()).isEqualTo(4.5);
    assertThat(json.at("/tensors/1/shape").toString()).isEqualTo("[3,64]");
    assertThat(json.at("/metadata/general.name").asText()).isEqualTo("evil \u001b[2J name");
    assertThat(json.path("runs").asText()).contains("tensor token_embd.weight is missing");
  }
}
