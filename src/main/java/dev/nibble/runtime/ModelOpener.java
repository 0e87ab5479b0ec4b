package dev.nibble.runtime;

import dev.nibble.engine.ModelInfo;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.format.gguf.GgufKeyException;
import dev.nibble.format.gguf.GgufShards;
import dev.nibble.format.gguf.GgufTensor;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.format.pack.PackCache;
import dev.nibble.format.pack.PackFile;
import dev.nibble.format.pack.PackWriter;
import dev.nibble.kernel.Processors;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.DecoderLoader;
import dev.nibble.model.MemoryNeed;
import dev.nibble.model.MemoryPlan;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.model.spec.InvalidModelException;
import dev.nibble.tokenizer.GgufVocabulary;
import dev.nibble.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;

/**
 * Opens models and their tokenizers, from GGUF files, packed ones, or from the executable itself. All of them compute with its one pool of threads: the machine's,
 * made once where a program begins, and closed where it ends, after its models.
 */
public final class ModelOpener implements AutoCloseable {
  /** Name of the model that is part of the executable. */
  public static final String EMBEDDED = "nibble-home";

  private static final String RESOURCE = "/models/" + EMBEDDED + ".gguf";
  private static final long EMBEDDED_CREATED = 1795478400L; // 2026-11-24, when it was quantised

  private final WorkerPool pool;

  /** @param threads that compute; empty for one a physical core */
  public ModelOpener(OptionalInt threads) {
    pool = new WorkerPool(threads.orElseGet(Processors::physicalCores));
  }

  /** A model, its tokenizer, and what is told of it. Closing it gives its weights' memory back: nobody may compute with it any more. */
  public record Opened(ModelInfo info, DecoderLoader.Loaded loaded, Tokenizer tokenizer, MemoryPlan memory) implements AutoCloseable {
    @Override
    public void close() {
      loaded.close();
    }

    /** Which code multiplies matrices: {@code vector} or {@code scalar}. */
    public String kernels() {
      return loaded.kernels().provider().vectors() ? "vector" : "scalar";
    }

    /** What code computes and why other code does not, for a line of a log. */
    public String kernelChoice() {
      return loaded.kernels().toString();
    }

    /** What kernels computing do without, and what to do about it; empty where all is well. */
    public Optional<String> kernelComplaint() {
      return loaded.kernels().complaint();
    }

    /** All code that there is, each with the reason why it does not compute, which is empty for that which does. */
    public Map<String, String> kernelReasons() {
      Map<String, String> reasons = new TreeMap<>();
      reasons.put(loaded.kernels().provider().toString(), "");
      loaded.kernels().notTaken().forEach(other -> reasons.put(other.provider().toString(), other.reason()));
      return reasons;
    }

    /** Bits of the vectors in use; 0 where none are. */
    public int vectorBits() {
      return loaded.kernels().provider().vectorBits();
    }
  }

  /**
   * Opens a model.
   *
   * @param path a GGUF file, the first of several, or a packed one; empty for the embedded model
   * @param name for requests; empty for the file's name without its ending
   * @throws IOException if the file is missing, damaged, or holds a model of another kind: the message says which
   */
  public Opened open(Optional<Path> path, Optional<String> name, KvCacheOptions cache, DecoderLoader.Progress progress) throws IOException {
    return open(path, name, cache, Optional.empty(), progress);
  }

  /**
   * Opens a model.
   *
   * @param path a GGUF file, the first of several, or a packed one; empty for the embedded model
   * @param name for requests; empty for the file's name without its ending
   * @param packs where GGUF files' packs are kept; empty to load the file itself
   * @throws IOException if the file is missing, damaged, or holds a model of another kind: the message says which
   */
  public Opened open(Optional<Path> path, Optional<String> name, KvCacheOptions cache, Optional<PackCache> packs, DecoderLoader.Progress progress)
      throws IOException {
    try (ModelFile file = path.isEmpty() ? embedded()
        : packs.isPresent() ? packs.get().open(path.get(), pool, ModelOpener::check, progress::packed) : PackFile.openAny(path.get())) {
      Tokenizer tokenizer = GgufVocabulary.tokenizer(file.metadata());
      MemoryPlan plan = MemoryPlan.here(MemoryNeed.of(file, cache).weights());
      progress.planned(plan);
      long parameters = file.tensors().stream().mapToLong(GgufTensor::elements).sum();
      double bits = parameters == 0 ? 0 : 8.0 * file.tensors().stream().mapToLong(GgufTensor::bytes).sum() / parameters;
      long created = path.isPresent() ? Files.getLastModifiedTime(path.get()).toInstant().getEpochSecond() : EMBEDDED_CREATED;
      DecoderLoader.Loaded loaded = DecoderLoader.load(file, pool, cache, progress);
      try {
        file.guard();
      } catch (IOException e) {
        loaded.close();
        throw e;
      }
      ModelInfo info = new ModelInfo(name.orElse(path.map(GgufShards::modelName).orElse(EMBEDDED)), file.metadata().requireString("general.architecture"),
          parameters, loaded.model().contextLength(), tokenizer.vocabularySize(), bits, Math.min(created, Instant.now().getEpochSecond()));
      return new Opened(info, loaded, tokenizer, plan);
    } catch (GgufKeyException e) {
      throw new InvalidModelException("the model can't be run: " + e.getMessage());
    }
  }

  /**
   * Packs a model.
   *
   * @param source a GGUF file, or the first of several
   * @param target the packed file; one that is there is replaced
   * @return the packed file's size
   * @throws IOException if the source can't be read or run, or the target can't be written
   */
  public long pack(Path source, Path target, PackWriter.Progress progress) throws IOException {
    return PackWriter.write(source, target, pool, ModelOpener::check, this::tryOut, progress);
  }

  /**
   * Opens a file's model and tokenizer, and computes the next token of a few words.
   *
   * @throws IOException if the file can't be read, or its model can't be run: the message says why
   */
  public ModelTrial.Outcome tryOut(ModelFile file) throws IOException {
    return ModelTrial.run(file, pool);
  }

  /** Ends the threads. A model that is still computing goes on with its own alone. */
  @Override
  public void close() {
    pool.close();
  }

  /** Checks that a model and its tokenizer can be used, without reading its matrices. */
  private static void check(ModelFile file) throws IOException {
    try {
      GgufVocabulary.tokenizer(file.metadata());
      DecoderLoader.check(file);
    } catch (GgufKeyException e) {
      throw new InvalidModelException("the model can't be run: " + e.getMessage());
    }
  }

  /** How this process's memory should be shared out while a model is run: told from its files' sizes, an eighth more for tiles' padding, before it is opened. */
  public static MemoryPlan fittingPlan(Optional<Path> path) {
    try (InputStream embedded = path.isPresent() ? InputStream.nullInputStream() : embeddedBytes()) {
      // A native executable, which alone is planned for, has its resources in memory: all of one is available.
      long bytes = embedded.available();
      for (Path file : path.map(GgufShards::named).orElse(List.of())) {
        bytes += Files.size(file);
      }
      return MemoryPlan.fitting(bytes / 8 * 9);
    } catch (IOException unreadable) {
      return MemoryPlan.fitting(0); // told when it is opened
    }
  }

  /** The embedded model's file, to be read from its beginning. */
  static InputStream embeddedBytes() throws IOException {
    InputStream in = ModelOpener.class.getResourceAsStream(RESOURCE);
    if (in == null) {
      throw new IOException("this build has no embedded model; name a file with --model");
    }
    return in;
  }

  static GgufFile embedded() throws IOException {
    try (InputStream in = embeddedBytes()) {
      return GgufFile.of(MemorySegment.ofArray(in.readAllBytes()), EMBEDDED);
    }
  }
}
