package dev.nibble.runtime;

import dev.nibble.format.gguf.GgufKeyException;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.format.pack.PackFile;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.DecoderLoader;
import dev.nibble.model.LanguageModel;
import dev.nibble.model.MemoryNeed;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.tokenizer.GgufVocabulary;
import dev.nibble.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalLong;

/** Has a model that was just written compute, before its file gets its name: a file that can't be run is no result. */
public final class ModelTrial {
  private static final String TEXT = "Once upon a time";
  private static final int MAX_TOKENS = 16;
  private static final Path MEMORY = Path.of("/proc/meminfo");
  private static final Path GROUP = Path.of("/sys/fs/cgroup"); // version 2, as seen from within a container

  /** How a trial ended, if it did not fail. */
  public enum Outcome {
    /** The model computed. */
    ANSWERED,
    /** It was checked as far as that goes without its weights, for which there is too little memory here. */
    TOO_LARGE
  }

  private ModelTrial() {}

  /**
   * Opens a file's model and tokenizer, and computes the next token of a few words.
   *
   * @throws InvalidModelException if it can't be run, or what it computes is not finite
   * @throws IOException if the file can't be read
   */
  static Outcome run(ModelFile file, WorkerPool pool) throws IOException {
    try {
      Tokenizer tokenizer = GgufVocabulary.tokenizer(file.metadata());
      MemoryNeed need = MemoryNeed.of(file, KvCacheOptions.DEFAULT);
      OptionalLong free = freeMemory();
      // A pack's weights are pages of the file, which memory need not hold all at once.
      if (!(file instanceof PackFile) && free.isPresent() && need.weights() + need.scratch() > free.getAsLong()) {
        DecoderLoader.check(file);
        return Outcome.TOO_LARGE;
      }
      try (DecoderLoader.Loaded loaded = DecoderLoader.load(file, pool, KvCacheOptions.DEFAULT, (done, total) -> {})) {
        answer(file, tokenizer, loaded.model());
      }
      return Outcome.ANSWERED;
    } catch (GgufKeyException e) {
      throw new InvalidModelException("the model can't be run: " + e.getMessage());
    }
  }

  private static void answer(ModelFile file, Tokenizer tokenizer, LanguageModel model) throws InvalidModelException {
    int[] ids = tokenizer.encodeWithSpecials(TEXT, false);
    ids = ids.length == 0 ? new int[1] : Arrays.copyOf(ids, Math.min(ids.length, Math.min(MAX_TOKENS, model.longestSequence())));
    float[] logits = new float[model.vocabularySize()];
    try (LanguageModel.Sequence sequence = model.newSequence(ids.length)) {
      sequence.append(ids, 0, ids.length, logits);
    }
    for (int id = 0; id < logits.length; id++) {
      if (!Float.isFinite(logits[id])) {
        throw new InvalidModelException("the model in " + file.name() + " can't be run: the logit of token " + id + " is " + logits[id] + " at the first pass");
      }
    }
  }

  /** Bytes that this process can still take, as far as Linux tells. */
  private static OptionalLong freeMemory() {
    try {
      long free = Long.MAX_VALUE;
      for (String line : Files.readAllLines(MEMORY)) {
        if (line.startsWith("MemAvailable:")) {
          free = Long.parseLong(line.replaceAll("\\D", "")) << 10;
        }
      }
      Path limit = GROUP.resolve("memory.max");
      if (Files.isReadable(limit) && !Files.readString(limit).startsWith("max")) {
        free = Math.min(free, Long.parseLong(Files.readString(limit).strip()) - Long.parseLong(Files.readString(GROUP.resolve("memory.current")).strip()));
      }
      return free == Long.MAX_VALUE ? OptionalLong.empty() : OptionalLong.of(free);
    } catch (IOException | NumberFormatException unknown) {
      return OptionalLong.empty();
    }
  }
}
