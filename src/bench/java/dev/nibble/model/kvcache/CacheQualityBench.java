package dev.nibble.model.kvcache;

import dev.nibble.format.gguf.GgufFile;
import dev.nibble.kernel.PageFormat;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.Decoder;
import dev.nibble.model.DecoderLoader;
import dev.nibble.model.LanguageModel;
import dev.nibble.tokenizer.GgufVocabulary;
import dev.nibble.tokenizer.Tokenizer;
import dev.nibble.tokenizer.VocabularyTokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What a quantised KV cache costs in quality: for every combination of formats, bytes a token, mean Kullback-Leibler divergence of the next token's
 * probabilities from those with an F32 cache, and how often the likeliest token is the same. Arguments: GGUF file, text file, windows, tokens of a
 * window, residual. Windows follow each other in the text, each after a BOS where the vocabulary has one.
 */
public final class CacheQualityBench {
  private CacheQualityBench() {}

  public static void main(String[] arguments) throws Exception {
    Path file = Path.of(arguments[0]);
    int windows = Integer.parseInt(arguments[2]);
    int tokens = Integer.parseInt(arguments[3]);
    int residual = Integer.parseInt(arguments[4]);
    Tokenizer tokenizer = new VocabularyTokenizer(GgufVocabulary.read(GgufFile.open(file).metadata()));
    int[] text = tokenizer.encode(Files.readString(Path.of(arguments[1])).substring(0, 200_000), false);
    boolean bos = tokenizer.bos().isPresent();
    List<int[]> inputs = new ArrayList<>();
    int taken = bos ? tokens - 1 : tokens;
    for (int window = 0; window < windows; window++) {
      int[] ids = new int[tokens];
      ids[0] = tokenizer.bos().orElse(0);
      System.arraycopy(text, window * taken, ids, tokens - taken, taken);
      inputs.add(ids);
    }
    float[][] exact = logits(file, KvCacheOptions.EXACT, inputs, new double[1]);
    System.out.printf(Locale.ROOT, "%s, %d windows of %d tokens, residual %d%n", file.getFileName(), windows, tokens, residual);
    System.out.println("| keys | values | rotated | bytes/token | of F16 | mean KL | top-1 same |");
    System.out.println("| --- | --- | --- | ---: | ---: | ---: | ---: |");
    double[] halves = new double[1];
    compare(file, PageFormat.F16, PageFormat.F16, residual, false, inputs, exact, halves);
    for (PageFormat keys : List.of(PageFormat.F16, PageFormat.INT8, PageFormat.INT4, PageFormat.INT2)) {
      for (boolean rotate : keys == PageFormat.INT4 || keys == PageFormat.INT2 ? new boolean[] {false, true} : new boolean[] {false}) {
        for (PageFormat values : List.of(PageFormat.F16, PageFormat.INT8, PageFormat.INT4, PageFormat.INT2)) {
          if (keys != PageFormat.F16 || values != PageFormat.F16) {
            compare(file, keys, values, residual, rotate, inputs, exact, halves);
          }
        }
      }
    }
  }

  private static void compare(Path file, PageFormat keys, PageFormat values, int residual, boolean rotate, List<int[]> inputs, float[][] exact, double[] halves)
      throws Exception {
    double[] bytes = new double[1];
    float[][] logits = logits(file, new KvCacheOptions(Optional.of(keys), Optional.of(values), residual, rotate), inputs, bytes);
    halves[0] = halves[0] == 0 ? bytes[0] : halves[0];
    double divergence = 0;
    int same = 0;
    for (int i = 0; i < exact.length; i++) {
      divergence += divergence(exact[i], logits[i]);
      same += largest(exact[i]) == largest(logits[i]) ? 1 : 0;
    }
    System.out.printf(Locale.ROOT, "| %s | %s | %s | %.0f | %.3f | %.2e | %.2f %% |%n", keys.label(), values.label(), rotate ? "yes" : "no", bytes[0],
        bytes[0] / halves[0], divergence / exact.length, 100.0 * same / exact.length);
  }

  /** [window × tokens + token][vocabulary] */
  private static float[][] logits(Path file, KvCacheOptions options, List<int[]> inputs, double[] bytes) throws Exception {
    DecoderLoader.Loaded loaded = DecoderLoader.load(GgufFile.open(file), new WorkerPool(1), options, (packed, total) -> {});
    Decoder model = loaded.model();
    bytes[0] = model.pages().shape().bytesPerToken();
    int tokens = inputs.getFirst().length;
    float[][] logits = new float[inputs.size() * tokens][model.vocabularySize()];
    for (int window = 0; window < inputs.size(); window++) {
      try (LanguageModel.Sequence sequence = model.newSequence(tokens)) {
        for (int token = 0; token < tokens; token++) {
          sequence.append(inputs.get(window), token, 1, logits[window * tokens + token]);
        }
      }
    }
    return logits;
  }

  private static double divergence(float[] from, float[] to) {
    double fromTotal = logSum(from);
    double toTotal = logSum(to);
    double sum = 0;
    for (int i = 0; i < from.length; i++) {
      double logarithm = from[i] - fromTotal;
      sum += Math.exp(logarithm) * (logarithm - (to[i] - toTotal));
    }
    return sum;
  }

  private static double logSum(float[] logits) {
    double most = logits[largest(logits)];
    return most + Math.log(Arrays.stream(toDoubles(logits)).map(logit -> Math.exp(logit - most)).sum());
  }

  private static double[] toDoubles(float[] numbers) {
    double[] doubles = new double[numbers.length];
    for (int i = 0; i < numbers.length; i++) {
      doubles[i] = numbers[i];
    }
    return doubles;
  }

  private static int largest(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }
}
