package dev.nibble.serve;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.SharedFixtures;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineOptions;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationRequest;
import dev.nibble.engine.SamplingParameters;
import dev.nibble.engine.SequentialEngine;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.quant.GgufConverter;
import dev.nibble.quant.Llama2cModel;
import dev.nibble.quant.QuantizationScheme;
import dev.nibble.runtime.ModelOpener;
import dev.nibble.serve.api.Answer;
import dev.nibble.serve.api.PromptBuilder;
import dev.nibble.tokenizer.EncodingBudget;
import dev.nibble.tokenizer.GgufVocabulary;
import dev.nibble.tokenizer.Llama2cVocabulary;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Answers of a model whose SentencePiece vocabulary puts a space before a text's first word. */
final class AnswerTest {
  @TempDir
  Path folder;

  private static String textOf(Answer answer) throws InterruptedException {
    StringBuilder text = new StringBuilder();
    while (true) {
      switch (answer.next()) {
        case Answer.Piece.Token(GeneratedToken token) -> text.append(token.text());
        case Answer.Piece.End(var result) -> {
          return text.append(result.text()).toString();
        }
      }
    }
  }

  @Test
  void aTextOfItsOwnBeginsWithoutSentencePiecesSpace() throws Exception {
    Path source = SharedFixtures.require("models/stories260K/stories260K.bin");
    Path file = folder.resolve("stories.gguf");
    GgufConverter.quantize(Llama2cModel.open(source), file, QuantizationScheme.parse("f32"),
        GgufVocabulary.write(Llama2cVocabulary.read(source.resolveSibling("tok512.bin"))), written -> {}, (done, total, tensor) -> {});
    ModelOpener.Opened opened = new ModelOpener(OptionalInt.of(1)).open(Optional.of(file), Optional.empty(), KvCacheOptions.EXACT, (bytes, total) -> {});
    try (Engine engine = new SequentialEngine(opened.info(), opened.loaded().model(), opened.tokenizer(), EngineOptions.DEFAULT)) {
      int[] beginning = PromptBuilder.text(engine.tokenizer(), "", EncodingBudget.unlimited());
      GenerationRequest request = new GenerationRequest(beginning, 12, SamplingParameters.GREEDY, List.of(), -1, false, Long.MAX_VALUE);
      Answer continued = new Answer();
      continued.start(engine, request);
      String raw = textOf(continued);
      assertThat(raw).startsWith(" Once upon a time, ");
      Answer own = new Answer();
      own.startOwnText(engine, request);
      assertThat(textOf(own)).isEqualTo(raw.substring(1));
    }
  }
}
