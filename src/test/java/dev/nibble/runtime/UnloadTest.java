package dev.nibble.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.nibble.engine.EngineObserver;
import dev.nibble.engine.EngineOptions;
import dev.nibble.engine.NanoClock;
import dev.nibble.engine.SequentialEngine;
import dev.nibble.kernel.NativeMemory;
import dev.nibble.model.LanguageModel;
import dev.nibble.model.kvcache.KvCacheOptions;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a model took is given back when it is closed: memory of weights, mappings, open files and its own threads; those that compute stay for the next. */
final class UnloadTest {
  private static final Path HOME = Path.of("src/main/resources/models/nibble-home.gguf");
  private static final int TIMES = 100;
  /** A hundred models that stayed would take five times as much. */
  private static final long MAX_GROWTH = 48 << 20;
  private static final long LARGE_KILOBYTES = 100 << 10;

  @TempDir Path folder;

  private final ModelOpener opener = new ModelOpener(OptionalInt.of(2));

  @AfterEach
  void close() {
    opener.close();
  }

  @Test
  void aHundredModelsLeaveNothing() throws Exception {
    hundredTimes(HOME);
  }

  @Test
  void aHundredPacksLeaveNothing() throws Exception {
    Path pack = folder.resolve("home.nib");
    opener.pack(HOME, pack, (done, total) -> {});
    hundredTimes(pack);
    assertThat(mappings(pack)).as("mappings of the file").isZero();
  }

  @Test
  void anEngineThatEndsGivesItsModelBack() throws Exception {
    long threads = threads();
    ModelOpener.Opened opened = open(HOME);
    SequentialEngine engine = new SequentialEngine(opened.info(), opened.loaded().model(), opened.tokenizer(), new EngineOptions(4), EngineObserver.NONE,
        NanoClock.SYSTEM, opened::close);
    engine.close();
    awaitThreads(threads);
    assertThatThrownBy(() -> opened.loaded().memory().allocate(1, 1)).isInstanceOf(IllegalStateException.class);
  }

  /** Three models, of which two compute at the same time, have one pool; it ends with what opened them. */
  @Test
  void modelsShareThreadsThatEndWithTheOpener() throws Exception {
    long others = threads() - 1; // the opener has one beside its callers
    float[] expected = logits(HOME);
    try (ModelOpener.Opened first = open(HOME); ModelOpener.Opened second = open(HOME); ModelOpener.Opened third = open(HOME)) {
      assertThat(threads()).isEqualTo(others + 1);
      List<CompletableFuture<float[]>> answers = Stream.of(first, second)
          .map(opened -> CompletableFuture.supplyAsync(() -> logits(opened, 20), task -> Thread.ofPlatform().start(task))).toList();
      for (CompletableFuture<float[]> answer : answers) {
        assertThat(answer.get(1, TimeUnit.MINUTES)).containsExactly(expected);
      }
      assertThat(third.loaded().threads()).isEqualTo(2);
    }
    opener.close();
    awaitThreads(others);
  }

  @Test
  void memoryIsZeroAndHoldsWhatIsWrittenUntilItIsClosed() throws IOException {
    try (NativeMemory memory = new NativeMemory()) {
      MemorySegment bytes = memory.allocate(1 << 20, 64);
      assertThat(bytes.address() % 64).isZero();
      assertThat(bytes.mismatch(memory.allocate(1 << 20, 64))).isEqualTo(-1);
      bytes.set(ValueLayout.JAVA_LONG, 8, -5);
      assertThat(bytes.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(-5);
      memory.close();
    }
  }

  private ModelOpener.Opened open(Path file) throws IOException {
    return opener.open(Optional.of(file), Optional.empty(), KvCacheOptions.DEFAULT, (done, total) -> {});
  }

  private void hundredTimes(Path file) throws Exception {
    long threads = threads();
    float[] first = logits(file);
    for (int i = 0; i < 10; i++) {
      logits(file); // allocators and compilers have what they keep
    }
    System.gc();
    long resident = resident();
    long files = openFiles();
    for (int i = 0; i < TIMES; i++) {
      assertThat(logits(file)).containsExactly(first);
    }
    System.gc();
    awaitThreads(threads);
    assertThat(openFiles()).as("open files").isLessThanOrEqualTo(files + 2);
    assertThat(resident() - resident).as("growth of resident memory").isLessThan(MAX_GROWTH);
  }

  private float[] logits(Path file) throws IOException {
    try (ModelOpener.Opened opened = open(file)) {
      return logits(opened, 1);
    }
  }

  /** The logits after two tokens, computed several times. */
  private static float[] logits(ModelOpener.Opened opened, int times) {
    LanguageModel model = opened.loaded().model();
    float[] logits = new float[model.vocabularySize()];
    for (int i = 0; i < times; i++) {
      try (LanguageModel.Sequence sequence = model.newSequence(2)) {
        sequence.append(new int[] {1, 2}, 0, 2, logits);
      }
    }
    return logits;
  }

  /** Workers and guards that still run; guards look once a second whether their file was closed. */
  private static void awaitThreads(long expected) throws InterruptedException {
    for (int tries = 0; tries < 100 && threads() > expected; tries++) {
      Thread.sleep(50);
    }
    assertThat(threads()).as("threads").isLessThanOrEqualTo(expected);
  }

  private static long threads() {
    return Thread.getAllStackTraces().keySet().stream().map(Thread::getName)
        .filter(name -> name.startsWith("nibble-kernel") || name.startsWith("nibble-pack-guard") || name.startsWith("nibble-engine")).count();
  }

  /** Resident memory without Java's heap, which grows as it likes and is one large mapping, as nothing else here is. */
  private static long resident() throws IOException {
    long sum = 0;
    long size = 0;
    for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
      if (line.startsWith("Size:")) {
        size = kilobytes(line);
      } else if (line.startsWith("Rss:") && size < LARGE_KILOBYTES) {
        sum += kilobytes(line);
      }
    }
    return sum << 10;
  }

  private static long kilobytes(String line) {
    return Long.parseLong(line.replaceAll("\\D", ""));
  }

  private static long mappings(Path file) throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines.filter(line -> line.endsWith(file.toAbsolutePath().toString())).count();
    }
  }

  private static long openFiles() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
      return files.count();
    }
  }
}
