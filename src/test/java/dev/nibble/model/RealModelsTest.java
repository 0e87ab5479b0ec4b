package dev.nibble.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.nibble.RealModels;
import dev.nibble.eval.GreedyRun;
import dev.nibble.eval.LogitsDigest;
import dev.nibble.eval.Perplexity;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.pack.PackFile;
import dev.nibble.format.pack.PackWriter;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.kernel.Products;
import dev.nibble.kernel.TestModes;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.family.Families;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.tokenizer.GgufVocabulary;
import dev.nibble.tokenizer.VocabularyTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Files that everybody has, against what others compute of them: PyTorch in float32 on the dequantised weights, and llama.cpp, which quantises activations to 8 bits
 * as we do. Takes five minutes where the files are.
 */
@Timeout(value = 15, unit = TimeUnit.MINUTES) // longer than other tests: these compute for minutes on a machine that does nothing else
final class RealModelsTest {
  /** Greedy ids are compared as long as the best logit leads the second by this. */
  private static final double LEAD = 0.3;
  /** Of float32's perplexity. */
  private static final double PERPLEXITY_TOLERANCE = 0.005;
  private static final int PERPLEXITY_TOKENS = 5200; // of the text's first: what all three models have a figure of ours for

  @TempDir
  Path folder;

  private static Decoder load(Path file, WorkerPool pool) throws IOException {
    return DecoderLoader.load(PackFile.openAny(file), Families.KNOWN, new Products(pool, TestModes.best()), new NativeMemory(), KvCacheOptions.DEFAULT);
  }

  private static JsonNode json(Path file) throws IOException {
    return new ObjectMapper().readTree(file.toFile());
  }

  private static int[] ids(JsonNode list) {
    int[] ids = new int[list.size()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = list.get(i).asInt();
    }
    return ids;
  }

  @ParameterizedTest
  @EnumSource
  void textsBecomeLlamaCppsIds(RealModels real) throws IOException {
    JsonNode golden = json(real.golden("golden.json"));
    VocabularyTokenizer tokenizer = new VocabularyTokenizer(GgufVocabulary.read(GgufFile.open(real.file()).metadata()));
    assertThat(golden.path("tokenizer_vectors").size()).isEqualTo(47);
    for (JsonNode vector : golden.path("tokenizer_vectors")) {
      assertThat(tokenizer.encode(vector.path("text").asText(), false)).as("\"%s\"", vector.path("text").asText()).isEqualTo(ids(vector.path("ids")));
    }
    for (JsonNode answer : golden.path("answers")) {
      assertThat(tokenizer.encodeWithSpecials(answer.path("text").asText(), true)).as("\"%s\"", answer.path("text").asText()).isEqualTo(ids(answer.path("ids")));
    }
  }

  @ParameterizedTest
  @EnumSource
  void greedyIdsAreFloat32sWhereItIsSure(RealModels real) throws IOException {
    Path file = real.file();
    try (WorkerPool pool = new WorkerPool(2)) {
      Decoder model = load(file, pool);
      int compared = 0;
      for (JsonNode answer : json(real.golden("golden.json")).path("answers")) {
        int[] prompt = ids(answer.path("ids"));
        int[] expected = ids(answer.path("float32_ids"));
        float[] logits = new float[model.vocabularySize()];
        try (LanguageModel.Sequence sequence = model.newSequence(prompt.length + expected.length)) {
          sequence.append(prompt, 0, prompt.length, logits);
          for (int step = 0; step < expected.length; step++) {
            int best = 0;
            for (int id = 1; id < logits.length; id++) {
              best = logits[id] > logits[best] ? id : best;
            }
            if (answer.path("float32_lead").get(step).asDouble() > LEAD) {
              assertThat(best).as("%s, \"%s\", step %d", real, answer.path("text").asText(), step).isEqualTo(expected[step]);
              compared++;
            }
            sequence.append(expected, step, 1, logits); // on float32's way, also where it was not sure
          }
        }
      }
      assertThat(compared).isGreaterThan(60);
    }
  }

  @ParameterizedTest
  @EnumSource
  void perplexityIsFloat32s(RealModels real) throws IOException {
    Path file = real.file();
    JsonNode golden = json(real.golden("golden.json"));
    int[] text = Arrays.copyOf(ids(json(real.golden("wikitext-ids.json"))), PERPLEXITY_TOKENS);
    OptionalInt beginning = golden.path("vocabulary").path("add_bos").asBoolean() ? OptionalInt.of(golden.path("vocabulary").path("bos").asInt()) : OptionalInt.empty();
    try (WorkerPool pool = new WorkerPool(2)) {
      Perplexity.Result result = Perplexity.of(load(file, pool), text, Perplexity.DEFAULT_WINDOW, beginning, (windows, of) -> {});
      assertThat(result.predictions()).isEqualTo(2550);
      double expected = perplexity(real, golden);
      System.out.printf("%s: perplexity %.4f, float32 %.4f%n", real, result.perplexity(), expected);
      assertThat(result.perplexity()).as("%s", real).isCloseTo(expected, within(PERPLEXITY_TOLERANCE * expected));
    }
  }

  private static double perplexity(RealModels real, JsonNode golden) {
    return switch (real) {
      case SMOLLM2 -> 26.616; // of these first tokens: shared/reference/README.md, "A float source"
      case GEMMA3, QWEN25_CODER -> golden.path("float32").path("perplexity").path("value").asDouble();
    };
  }

  @ParameterizedTest
  @EnumSource
  void likelyTokensOfAFixedTextAreFloat32s(RealModels real) throws IOException {
    Path file = real.file();
    JsonNode golden = json(real.golden("logits.json"));
    int[] text = ids(golden.path("ids"));
    try (WorkerPool pool = new WorkerPool(2)) {
      Decoder model = load(file, pool);
      double[] worst = {0};
      try (LanguageModel.Sequence sequence = model.newSequence(text.length)) {
        model.forward(new Batch().add(sequence, text, 0, text.length, Batch.Outputs.ALL), model.newWorkspace(text.length), (slice, token, logits, at) -> {
          JsonNode position = golden.path("positions").get(token);
          double largest = Double.NEGATIVE_INFINITY;
          for (int i = at; i < at + model.vocabularySize(); i++) {
            largest = Math.max(largest, logits[i]);
          }
          double sum = 0;
          for (int i = at; i < at + model.vocabularySize(); i++) {
            sum += Math.exp(logits[i] - largest);
          }
          double normal = largest + Math.log(sum);
          for (JsonNode likely : position.path("top20")) {
            double expected = likely.get(1).asDouble() - position.path("log_sum_exp").asDouble();
            worst[0] = Math.max(worst[0], Math.abs(logits[at + likely.get(0).asInt()] - normal - expected));
          }
        }, () -> false);
      }
      System.out.printf("%s: largest difference of a log-probability of the 20 likeliest tokens: %.3f%n", real, worst[0]);
      assertThat(worst[0]).isPositive().isLessThan(1.0);
    }
  }

  @ParameterizedTest
  @EnumSource
  void packsGiveTheSameBits(RealModels real) throws IOException {
    Path file = real.file();
    Path pack = folder.resolve("model.nib");
    try (WorkerPool pool = new WorkerPool(2)) {
      PackWriter.write(file, pack, pool, DecoderLoader::check, packed -> {}, (done, total) -> {});
      Decoder loaded = DecoderLoader.load(GgufFile.open(file), Families.KNOWN, new Products(pool, TestModes.best()), new NativeMemory(), KvCacheOptions.DEFAULT);
      Decoder mapped = load(pack, pool);
      int[] prompt = GreedyRun.prompt(40, loaded.vocabularySize());
      assertThat(LogitsDigest.of(mapped, prompt, 4)).isEqualTo(LogitsDigest.of(loaded, prompt, 4));
    }
    Files.delete(pack);
  }
}
