package dev.nibble.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.SharedFixtures;
import dev.nibble.model.LanguageModel;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.quant.GgufConverter;
import dev.nibble.quant.Llama2cModel;
import dev.nibble.quant.QuantizationScheme;
import dev.nibble.tokenizer.GgufVocabulary;
import dev.nibble.tokenizer.Llama2cVocabulary;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A packed model is the model it was made of, bit for bit. */
final class PackedModelTest {
  private static final Path HOME = Path.of("src/main/resources/models/nibble-home.gguf");

  @TempDir
  Path folder;

  @Test
  void homeGivesTheSameLogits() throws IOException {
    compare(HOME);
  }

  @ParameterizedTest
  @EnumSource(QuantizationScheme.class)
  void storiesGiveTheSameLogitsInEveryFormat(QuantizationScheme scheme) throws IOException {
    Llama2cModel source = Llama2cModel.open(SharedFixtures.require("models/stories260K/stories260K.bin"));
    Path gguf = folder.resolve("stories.gguf");
    GgufConverter.quantize(source, gguf, scheme, GgufVocabulary.write(Llama2cVocabulary.read(Llama2cModel.tokenizerBeside(source.weightsFile()).orElseThrow())),
        written -> {}, (done, total, tensor) -> {});
    compare(gguf);
  }

  private void compare(Path gguf) throws IOException {
    Path pack = folder.resolve("packed");
    long[] last = new long[2];
    new ModelOpener(OptionalInt.of(2)).pack(gguf, pack, (done, total) -> {
      assertThat(done).isBetween(last[0], total);
      last[0] = done;
      last[1] = total;
    });
    assertThat(pack).isRegularFile();
    ModelOpener.Opened expected = open(gguf);
    ModelOpener.Opened packed = open(pack);
    assertThat(packed.info().parameters()).isEqualTo(expected.info().parameters());
    assertThat(packed.info().architecture()).isEqualTo(expected.info().architecture());
    assertThat(packed.loaded().formats()).isEqualTo(expected.loaded().formats());
    int[] ids = expected.tokenizer().encodeWithSpecials("Once upon a time there was a light in the kitchen.", false);
    assertThat(packed.tokenizer().encodeWithSpecials("Once upon a time there was a light in the kitchen.", false)).isEqualTo(ids);
    assertThat(logits(packed, ids)).containsExactly(logits(expected, ids));
  }

  private static ModelOpener.Opened open(Path path) throws IOException {
    return new ModelOpener(OptionalInt.of(2)).open(Optional.of(path), Optional.empty(), KvCacheOptions.DEFAULT, (done, total) -> {});
  }

  private static float[] logits(ModelOpener.Opened opened, int[] ids) {
    LanguageModel model = opened.loaded().model();
    float[] logits = new float[model.vocabularySize()];
    try (LanguageModel.Sequence sequence = model.newSequence(ids.length + 1)) {
      sequence.append(ids, 0, ids.length, logits);
      sequence.append(ids, 0, 1, logits);
    }
    return logits;
  }
}
