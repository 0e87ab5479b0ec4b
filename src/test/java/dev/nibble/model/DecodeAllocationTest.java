package dev.nibble.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.nibble.format.gguf.GgufFile;
import dev.nibble.kernel.WorkerPool;
import dev.nibble.model.kvcache.KvCacheOptions;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * Decoding in its steady state allocates nothing, on no thread. Until a kernel is compiled the Vector API makes objects, so windows of steps are
 * measured until several in a row are clean; a pass that always allocates never gets there.
 */
final class DecodeAllocationTest {
  private static final int STEPS = 32;
  private static final int PROMPT = 8; // the steps stay within a page of the cache: what closing one takes is the cache's business
  private static final int CLEAN_WINDOWS = 3;
  private static final int MOST_WINDOWS = 2000;
  private static final int PROCESSES = 3;
  private static final String CLEAN = "nothing was allocated";

  private final ThreadMXBean allocations = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /**
   * In a process of its own, as the program runs: tests of the same process use memory of all kinds of arenas, and what a JVM's compiler has seen of those
   * makes it leave allocations in kernels that have none when they see one kind, as here.
   */
  @Test
  void steadyStateDecodingAllocatesNothingOnAnyThread() throws Exception {
    ProcessBuilder builder = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "@src/main/jvm/options", "-Xmx1g",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager", "-cp",
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")), DecodeAllocationTest.class.getName())
        .redirectErrorStream(true);
    String said = "";
    // Once in some tens a compiler under load decides otherwise about a kernel for as long as its process lives: what allocates does so in every process.
    for (int tries = 0; tries < PROCESSES && !said.contains(CLEAN); tries++) {
      Process process = null;
      try {
        process = builder.start();
      } catch (java.io.IOException cannotStart) {
        // An emulator runs this Java, and the kernel does not know how to start it.
        org.junit.jupiter.api.Assumptions.abort("a Java of this kind can't be started here: " + cannotStart.getMessage());
      }
      said = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
      process.waitFor();
    }
    assertThat(said).contains(CLEAN);
  }

  /** The process. */
  public static void main(String[] arguments) throws Exception {
    new DecodeAllocationTest().measure();
    System.out.println(CLEAN);
    System.exit(0);
  }

  private void measure() throws Exception {
    Set<Thread> before = new HashSet<>(Thread.getAllStackTraces().keySet());
    GgufFile file = GgufFile.open(Path.of("src/main/resources/models/nibble-home.gguf"));
    Decoder model = DecoderLoader.load(file, new WorkerPool(2), KvCacheOptions.DEFAULT, (done, total) -> {}).model();
    List<Thread> workers = Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> !before.contains(thread) && thread.getName().startsWith("nibble-kernel-")).toList();
    assertThat(workers).hasSize(1);
    float[] logits = new float[model.vocabularySize()];
    float[] row = new float[logits.length];
    int[] ids = new int[PROMPT];
    int clean = 0;
    long callers = 0;
    long others = 0;
    for (int window = 0; window < MOST_WINDOWS && clean < CLEAN_WINDOWS; window++) {
      try (LanguageModel.Sequence sequence = model.newSequence(PROMPT + STEPS)) {
        sequence.append(ids, 0, PROMPT, logits);
        long start = allocations.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < STEPS; i++) {
          model.embedding().row(i, row, 0);
        }
        // Reading a row of the embedding copies its tile: known, and left out of the account.
        long rows = allocations.getCurrentThreadAllocatedBytes() - start;
        long workersStart = allocated(workers);
        start = allocations.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < STEPS; i++) {
          ids[0] = i;
          sequence.append(ids, 0, 1, logits);
        }
        callers = allocations.getCurrentThreadAllocatedBytes() - start - rows;
        others = allocated(workers) - workersStart;
        clean = callers == 0 && others == 0 ? clean + 1 : 0;
      }
    }
    assertThat(clean).as("clean windows at the end; the last took %d bytes on the calling thread, %d on workers", callers, others)
        .isEqualTo(CLEAN_WINDOWS);
  }

  private long allocated(List<Thread> threads) {
    long bytes = 0;
    for (Thread thread : threads) {
      bytes += allocations.getThreadAllocatedBytes(thread.threadId());
    }
    return bytes;
  }
}
