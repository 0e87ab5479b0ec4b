package dev.nibble.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.SharedFixtures;
import dev.nibble.format.gguf.GgufValue;
import dev.nibble.format.safetensors.SafetensorsFile;
import dev.nibble.format.safetensors.SafetensorsTensor;
import dev.nibble.model.family.TensorTransform;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.tensor.TensorFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelSourceTest {
  @TempDir Path directory;

  private static SourceTensor tensor(ModelSource source, String name) {
    return source.tensors().stream().filter(tensor -> tensor.name().equals(name)).findFirst().orElseThrow();
  }

  @Test
  void rotatedRowsMoveWithinTheirHead() {
    assertThat(IntStream.range(0, 16).map(row -> new TensorTransform.Interleave(8).source(row)).toArray())
        .containsExactly(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
    assertThat(IntStream.range(0, 256).map(row -> new TensorTransform.Interleave(32).source(row)).distinct().count()).isEqualTo(256);
  }

  @Test
  void homeHasGgufNamesAndPermutedQueries() throws IOException {
    Path home = SharedFixtures.require("models/home");
    HuggingFaceModel source = HuggingFaceModel.open(home);
    assertThat(source.metadata()).containsEntry("general.architecture", GgufValue.text("llama")).containsEntry("llama.embedding_length", GgufValue.uint32(256))
        .containsEntry("llama.attention.head_count_kv", GgufValue.uint32(4)).containsEntry("llama.attention.layer_norm_rms_epsilon", GgufValue.float32(1e-5f));
    assertThat(source.tensors()).hasSize(4 * 9 + 2);
    assertThat(source.tensors().stream().mapToLong(SourceTensor::elementCount).sum()).isEqualTo(3_672_320);
    SafetensorsTensor keys = SafetensorsFile.open(home.resolve("model.safetensors")).find("model.layers.2.self_attn.k_proj.weight").orElseThrow();
    float[] expected = new float[256];
    float[] actual = new float[256];
    for (int head = 0; head < 4; head++) {
      for (int pair = 0; pair < 16; pair++) {
        for (int half = 0; half < 2; half++) {
          keys.readFloats((head * 32 + half * 16 + pair) * 256L, expected, 256);
          tensor(source, "blk.2.attn_k.weight").reader().read(head * 32 + 2 * pair + half, 1, actual);
          assertThat(actual).isEqualTo(expected);
        }
      }
    }
  }

  @Test
  void storiesFallBackWhereRowsDoNotDivide() throws IOException {
    Llama2cModel source = Llama2cModel.open(SharedFixtures.require("models/stories260K/stories260K.bin"));
    assertThat(Llama2cModel.tokenizerBeside(source.weightsFile())).hasValueSatisfying(path -> assertThat(path).hasFileName("tok512.bin"));
    TensorQuantizer down = new TensorQuantizer(tensor(source, "blk.0.ffn_down.weight"), QuantizationScheme.Q4_0);
    assertThat(down.format()).isEqualTo(TensorFormat.F32);
    assertThat(down.fallback()).hasValueSatisfying(fallback -> assertThat(fallback.reason()).contains("172"));
    TensorQuantizer norm = new TensorQuantizer(tensor(source, "blk.0.ffn_norm.weight"), QuantizationScheme.Q4_0);
    assertThat(norm.format()).isEqualTo(TensorFormat.F32);
    assertThat(norm.fallback()).isEmpty();
    for (QuantizationScheme scheme : QuantizationScheme.values()) {
      for (SourceTensor tensor : source.tensors()) {
        TensorQuantizer quantizer = new TensorQuantizer(tensor, scheme);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        quantizer.writeTo(Channels.newChannel(bytes));
        assertThat(bytes.size()).isEqualTo((int) quantizer.bytes());
        double decibels = quantizer.report().signalToNoiseDecibels();
        switch (quantizer.format()) {
          case F32 -> assertThat(decibels).isInfinite();
          case F16, BF16 -> assertThat(decibels).isGreaterThan(70);
          case Q8_0 -> assertThat(decibels).isGreaterThan(40);
          case Q4_0, Q6_K -> assertThat(decibels).isGreaterThan(18);
        }
      }
    }
  }

  @Test
  void piecesAddUpToTheWhole() throws IOException {
    // 6000 rows of 256 are many pieces; each row must come out as if quantised alone.
    SourceTensor tensor = new SourceTensor("t", 6000, 256, false, TensorFormat.F32, (first, rows, out) -> {
      for (int i = 0; i < rows * 256; i++) {
        out[i] = (float) Math.sin(first * 256.0 + i);
      }
    });
    TensorQuantizer quantizer = new TensorQuantizer(tensor, QuantizationScheme.Q4_0);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    quantizer.writeTo(Channels.newChannel(bytes));
    float[] all = new float[6000 * 256];
    tensor.reader().read(0, 6000, all);
    assertThat(bytes.toByteArray()).isEqualTo(TensorFormat.Q4_0.encoder().encode(all));
  }

  @Test
  void badWeightsAreNamed() {
    SourceTensor tensor = new SourceTensor("blk.1.attn_q.weight", 6000, 256, false, TensorFormat.F32, (first, rows, out) -> {
      for (int i = 0; i < rows * 256; i++) {
        out[i] = first * 256 + i == 5000 * 256 + 7 ? Float.NaN : 1f;
      }
    });
    assertThatThrownBy(() -> new TensorQuantizer(tensor, QuantizationScheme.Q8_0).writeTo(Channels.newChannel(new ByteArrayOutputStream())))
        .isInstanceOf(InvalidWeightException.class)
        .hasMessage("tensor blk.1.attn_q.weight, weight 1280007 (row 5000, column 7): NaN is not a finite number");
  }

  @Test
  void otherModelsAreRefusedClearly() throws IOException {
    String config = Files.readString(SharedFixtures.require("models/home/config.json"));
    Path file = directory.resolve("config.json");
    for (List<String> change : List.of(
        List.of("LlamaForCausalLM", "GemmaForCausalLM3", "architectures is"),
        List.of("\"silu\"", "\"gelu\"", "hidden_act"),
        List.of("\"rope_theta\": 10000.0", "\"rope_scaling\": {\"rope_type\": \"dynamic\"}", "RoPE scaling of type \"dynamic\""),
        List.of("\"hidden_size\": 256", "\"hidden_size\": \"x\"", "hidden_size is"),
        List.of("\"rope_theta\": 10000.0", "\"rope_theta\": \"10000\"", "rope_theta is \"10000\", not a number"),
        List.of("\"rope_theta\": 10000.0", "\"rope_parameters\": {\"rope_theta\": \"10000\"}", "rope_theta is \"10000\", not a number"),
        List.of("\"rope_theta\": 10000.0", "\"rope_scaling\": \"linear\"", "rope_scaling is \"linear\", not an object"),
        List.of("\"rope_theta\": 10000.0", "\"partial_rotary_factor\": \"0.5\"", "partial_rotary_factor is \"0.5\", not a number"),
        List.of("\"rms_norm_eps\": ", "\"rms_norm_eps\": true, \"was\": ", "rms_norm_eps is true, not a number"),
        List.of("\"num_key_value_heads\": 4", "\"num_key_value_heads\": 3", "not a multiple"))) {
      Files.writeString(file, config.replace(change.get(0), change.get(1)));
      assertThatThrownBy(() -> HuggingFaceModel.open(directory)).isInstanceOf(InvalidModelException.class).hasMessageContaining(change.get(2));
    }
    Files.writeString(file, config);
    assertThatThrownBy(() -> HuggingFaceModel.open(directory)).hasMessageContaining("no model.safetensors");
    Files.writeString(directory.resolve("model.safetensors.index.json"), "{}");
    assertThatThrownBy(() -> HuggingFaceModel.open(directory)).isInstanceOf(InvalidModelException.class).hasMessageContaining("sharded");
    Files.copy(SharedFixtures.require("models/home/model.safetensors"), directory.resolve("model.safetensors"));
    Files.writeString(file, config.replace("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"));
    assertThatThrownBy(() -> HuggingFaceModel.open(directory)).hasMessageContaining("no tensor lm_head.weight");
    Files.writeString(file, config.replace("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": \"true\""));
    assertThatThrownBy(() -> HuggingFaceModel.open(directory)).hasMessageContaining("tie_word_embeddings is \"true\", not true or false");
    Files.writeString(file, config.replace("\"num_hidden_layers\": 4", "\"num_hidden_layers\": 3"));
    assertThatThrownBy(() -> HuggingFaceModel.open(directory)).hasMessageContaining("has no place in a plain llama");
    Files.writeString(file, config.replace("\"intermediate_size\": 768", "\"intermediate_size\": 512"));
    assertThatThrownBy(() -> HuggingFaceModel.open(directory)).hasMessageContaining("config.json implies");
  }

  @Test
  void schemesHaveNames() {
    assertThat(QuantizationScheme.parse(" q4_0")).isEqualTo(QuantizationScheme.Q4_0);
    assertThatThrownBy(() -> QuantizationScheme.parse("q5")).hasMessageContaining("q4_0, q8_0, f16, f32");
  }
}
