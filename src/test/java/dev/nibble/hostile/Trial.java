package dev.nibble.hostile;

import com.sun.management.ThreadMXBean;
import dev.nibble.format.gguf.GgufKeyException;
import dev.nibble.format.gguf.InvalidGgufException;
import dev.nibble.format.gguf.InvalidSplitException;
import dev.nibble.format.pack.InvalidPackException;
import dev.nibble.format.safetensors.InvalidSafetensorsException;
import dev.nibble.model.LanguageModel;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.quant.GgufConverter;
import dev.nibble.quant.HuggingFaceModel;
import dev.nibble.quant.InvalidWeightException;
import dev.nibble.quant.QuantizationScheme;
import dev.nibble.runtime.ModelOpener;
import dev.nibble.runtime.ModelReport;
import dev.nibble.tokenizer.ChatMessage;
import dev.nibble.tokenizer.ChatTemplateException;
import dev.nibble.tokenizer.GgufVocabulary;
import dev.nibble.tokenizer.HuggingFaceTokenizer;
import dev.nibble.tokenizer.InvalidVocabularyException;
import dev.nibble.tokenizer.Vocabulary;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** Does with a mutated model what the program does with one: inspects it, opens or converts it, and computes. */
final class Trial {
  /** By looking at a file, without its weights. Computing boxes vectors until it is compiled; there, a small heap is the bound. */
  private static final long MAX_ALLOCATED = 256L << 20;
  private static final int MAX_MESSAGE = 10_100; // Printable's, with all of it escaped, and what is around it
  private static final int PROMPT = 4; // tokens

  private final Path folder;
  private final ModelOpener opener = new ModelOpener(OptionalInt.of(1)); // one thread: none is started
  private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  Trial(Path folder) {
    this.folder = folder;
  }

  /** What became of a file: it works, is refused by name, or shows a fault of the program's, told by the message. */
  enum Outcome {
    WORKS, REFUSED, FAULT
  }

  /** How a trial ended. @param allocated bytes @param nanos of the processor */
  record Result(Outcome outcome, String message, long allocated, long nanos, Optional<Throwable> failure) {}

  Result run(Mutator.Mutation mutation, String name) throws IOException {
    Path place = Files.createDirectory(folder.resolve(name));
    for (Map.Entry<String, byte[]> file : mutation.files().entrySet()) {
      Files.write(place.resolve(file.getKey()), file.getValue());
    }
    Path path = mutation.seed().open().isEmpty() ? place : place.resolve(mutation.seed().open());
    long before = threads.getCurrentThreadAllocatedBytes();
    long nanos = threads.getCurrentThreadCpuTime();
    Optional<Throwable> failure = attempt(() -> inspect(path));
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    if (failure.isEmpty()) {
      failure = attempt(() -> use(mutation.seed().kind(), path));
    }
    nanos = threads.getCurrentThreadCpuTime() - nanos;
    Result result = judge(place, mutation, failure, allocated, nanos);
    if (result.outcome != Outcome.FAULT) {
      try (var files = Files.list(place)) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      Files.delete(place);
    }
    return result;
  }

  private static Result judge(Path place, Mutator.Mutation mutation, Optional<Throwable> failure, long allocated, long nanos) {
    Outcome outcome = failure.isEmpty() ? Outcome.WORKS : Outcome.REFUSED;
    String message = failure.map(Throwable::getMessage).orElse("");
    if (failure.isPresent() && !isNamed(failure.get(), mutation)) {
      return new Result(Outcome.FAULT, "not one of the program's own errors: " + failure.get(), allocated, nanos, failure);
    }
    if (failure.isPresent() && (message == null || message.isBlank() || message.length() > MAX_MESSAGE || message.chars().anyMatch(Character::isISOControl))) {
      return new Result(Outcome.FAULT, "not one line for people: " + message, allocated, nanos, failure);
    }
    if (failure.isPresent() && !message.contains(place.getFileName().toString())) {
      return new Result(Outcome.FAULT, "does not name the file: " + message, allocated, nanos, failure);
    }
    if (allocated > MAX_ALLOCATED) {
      return new Result(Outcome.FAULT, allocated + " bytes allocated", allocated, nanos, failure);
    }
    return new Result(outcome, message == null ? "" : message, allocated, nanos, failure);
  }

  private static boolean isNamed(Throwable failure, Mutator.Mutation mutation) {
    return switch (failure) {
      case InvalidGgufException named -> true;
      case InvalidSplitException named -> true;
      case InvalidModelException named -> true;
      case InvalidVocabularyException named -> true;
      case GgufKeyException named -> true;
      case InvalidPackException named -> true;
      case InvalidSafetensorsException named -> true;
      case InvalidWeightException named -> true;
      case NoSuchFileException missing -> mutation.files().size() < mutation.seed().files().size();
      case IOException plain -> plain.getClass() == IOException.class;
      default -> false;
    };
  }

  private interface Step {
    void run() throws IOException;
  }

  private static Optional<Throwable> attempt(Step step) {
    try {
      step.run();
      return Optional.empty();
    } catch (Throwable thrown) {
      return Optional.of(thrown);
    }
  }

  private static void inspect(Path path) throws IOException {
    ModelReport report = ModelReport.of(path);
    report.toText();
    report.toJson();
  }

  private void use(Seed.Kind kind, Path path) throws IOException {
    switch (kind) {
      case GGUF, PACK -> compute(path);
      case SPLIT -> {
        compute(path);
        opener.pack(path, path.resolveSibling("out.nib"), (done, total) -> {});
      }
      case FOLDER -> convert(path, path.resolve("out.gguf"));
    }
  }

  private void compute(Path path) throws IOException {
    try (ModelOpener.Opened opened = opener.open(Optional.of(path), Optional.empty(), KvCacheOptions.DEFAULT, (done, total) -> {})) {
      LanguageModel model = opened.loaded().model();
      int[] ids = opened.tokenizer().encodeWithSpecials("Once upon a time there was", false);
      opened.tokenizer().decode(ids, true);
      int count = Math.min(ids.length, Math.min(PROMPT, model.longestSequence()));
      if (count > 0) {
        // The first pass, when it was loaded, gave finite logits; other tokens' rows may be forged within a pack's tiles.
        float[] logits = new float[model.vocabularySize()];
        try (LanguageModel.Sequence sequence = model.newSequence(count)) {
          sequence.append(ids, 0, count, logits);
        }
      }
      if (opened.tokenizer().whyNoChat().isEmpty()) {
        try {
          opened.tokenizer().encodeChat(List.of(new ChatMessage("user", "dim the light")));
        } catch (ChatTemplateException refusal) {
          // told to who asked
        }
      }
    }
  }

  /** As {@code quantize}. */
  private void convert(Path folder, Path out) throws IOException {
    HuggingFaceModel source = HuggingFaceModel.open(folder);
    Vocabulary vocabulary = HuggingFaceTokenizer.read(folder, source.vocabularySize());
    if (vocabulary.tokens().size() > source.vocabularySize()) {
      throw new IOException("the tokenizer of " + folder + " has " + vocabulary.tokens().size() + " tokens, the model only " + source.vocabularySize());
    }
    GgufConverter.quantize(source, out, QuantizationScheme.parse("q4_0"), GgufVocabulary.write(vocabulary), opener::tryOut, (done, total, tensor) -> {});
    compute(out);
  }
}
