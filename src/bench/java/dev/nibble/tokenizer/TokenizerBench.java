package dev.nibble.tokenizer;

import dev.nibble.format.gguf.GgufFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/**
 * Speed of turning a text into ids, and time to make a tokenizer. Arguments: a file of text, then vocabularies: GGUF files or folders with a tokenizer.json.
 * Medians of 15 rounds after 15 that warm up; the first time a vocabulary is read is told apart.
 */
public final class TokenizerBench {
  private static final int ROUNDS = 15;

  private TokenizerBench() {}

  public static void main(String[] arguments) throws Exception {
    String text = Files.readString(Path.of(arguments[0]));
    for (String vocabulary : Arrays.asList(arguments).subList(1, arguments.length)) {
      Path path = Path.of(vocabulary);
      double[] loading = new double[ROUNDS];
      double[] encoding = new double[ROUNDS];
      double first = 0;
      int ids = 0;
      for (int round = -ROUNDS; round < ROUNDS; round++) {
        long start = System.nanoTime();
        VocabularyTokenizer tokenizer = new VocabularyTokenizer(read(path));
        long loaded = System.nanoTime();
        ids = tokenizer.encode(text, false).length;
        long encoded = System.nanoTime();
        first = round == -ROUNDS ? (loaded - start) / 1e6 : first;
        if (round >= 0) {
          loading[round] = (loaded - start) / 1e6;
          encoding[round] = text.length() / ((encoded - loaded) / 1e9) / 1e6;
        }
      }
      Arrays.sort(loading);
      Arrays.sort(encoding);
      System.out.printf(Locale.ROOT, "%-40s %8d ids %8.2f million characters/s, made in %6.0f ms at first, %6.0f ms later%n", path.getFileName(), ids, encoding[ROUNDS / 2], first,
          loading[ROUNDS / 2]);
    }
  }

  private static Vocabulary read(Path path) throws IOException {
    return Files.isDirectory(path) ? HuggingFaceTokenizer.read(path) : GgufVocabulary.read(GgufFile.open(path).metadata());
  }
}
