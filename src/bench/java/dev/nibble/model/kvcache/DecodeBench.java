package dev.nibble.model.kvcache;

import dev.nibble.format.gguf.GgufFile;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.Decoder;
import dev.nibble.model.DecoderLoader;
import dev.nibble.model.LanguageModel;
import java.lang.reflect.Field;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;

/**
 * Decode speed of a whole model after a long context, of random keys and values. Arguments: GGUF file, threads, tokens of the context, tokens to decode, then formats of the cache as
 * {@code keys/values}. Sequences of all formats are filled first, then decode a token each in turn, so that what else the machine does meets all alike.
 */
public final class DecodeBench {
  private DecodeBench() {}

  /** Puts random keys and values where a prompt's would be: speed does not depend on them, and prefill would take minutes. */
  private static void fill(Decoder model, LanguageModel.Sequence sequence, int tokens) throws ReflectiveOperationException {
    Field cacheField = sequence.getClass().getDeclaredField("cache");
    Field lengthField = sequence.getClass().getDeclaredField("length");
    cacheField.setAccessible(true);
    lengthField.setAccessible(true);
    KvCache cache = (KvCache) cacheField.get(sequence);
    KvCacheShape shape = model.pages().shape();
    cache.reserve(tokens);
    Random random = new Random(1);
    float[] numbers = new float[10_000];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = (float) random.nextGaussian();
    }
    for (int position = 0; position < tokens; position++) {
      for (int layer = 0; layer < shape.layers(); layer++) {
        for (int head = 0; head < shape.heads(); head++) {
          if (position % 64 == 0) {
            cache.begin(position / 64, layer, head);
          }
          int at = (position * 31 + head * 7 + layer) % 4000;
          cache.put(layer, head, position, numbers, at, numbers, at + 1000);
        }
      }
    }
    lengthField.setInt(sequence, tokens);
  }

  public static void main(String[] arguments) throws Exception {
    int threads = Integer.parseInt(arguments[1]);
    int prompt = Integer.parseInt(arguments[2]);
    int decoded = Integer.parseInt(arguments[3]);
    List<Decoder> models = new ArrayList<>();
    List<LanguageModel.Sequence> sequences = new ArrayList<>();
    for (int format = 4; format < arguments.length; format++) {
      String[] names = arguments[format].split("/");
      KvCacheOptions options = KvCacheOptions.of(Optional.of(names[0]), Optional.of(names[1]), 64, false);
      Decoder model = DecoderLoader.load(GgufFile.open(Path.of(arguments[0])), new WorkerPool(threads), options, (packed, total) -> {}).model();
      LanguageModel.Sequence sequence = model.newSequence(prompt + decoded);
      fill(model, sequence, prompt);
      models.add(model);
      sequences.add(sequence);
    }
    double[][] milliseconds = new double[models.size()][decoded];
    float[] logits = new float[models.getFirst().vocabularySize()];
    for (int token = 0; token < decoded; token++) {
      for (int i = 0; i < models.size(); i++) {
        long start = System.nanoTime();
        sequences.get(i).append(new int[] {1000 + token}, 0, 1, logits);
        milliseconds[i][token] = (System.nanoTime() - start) / 1e6;
      }
    }
    for (int i = 0; i < models.size(); i++) {
      Arrays.sort(milliseconds[i]);
      double median = milliseconds[i][decoded / 2];
      System.out.printf(Locale.ROOT, "%s: %.1f ms a token, %.2f tokens/s, cache %.1f MB%n", arguments[4 + i], median, 1000 / median,
          models.get(i).pages().usedBytes() / 1e6);
    }
  }
}
