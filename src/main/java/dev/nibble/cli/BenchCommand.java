package dev.nibble.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.ModelOpener;
import dev.nibble.kernel.KernelCheck;
import dev.nibble.kernel.KernelMode;
import dev.nibble.kernel.PageKernelCheck;
import dev.nibble.model.LanguageModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Measures speed and memory of a model. */
@Command(name = "bench", description = "Measures load time, prefill and decode speed, and memory.", mixinStandardHelpOptions = true)
final class BenchCommand implements Callable<Integer> {
  // Ids spread over the vocabulary, the same that the comparison with other programs uses.
  private static final int FIRST_ID = 300;
  private static final int ID_STEP = 7919;
  private static final int ID_RANGE = 30000;
  private static final int EXIT_SLOW_KERNELS = 1;

  @Mixin
  private ModelOptions model;

  @Option(names = "--prompt", paramLabel = "N", defaultValue = "256", description = "Prompt tokens; default ${DEFAULT-VALUE}.")
  private int prompt;

  @Option(names = "--gen", paramLabel = "N", defaultValue = "48", description = "Tokens to decode; default ${DEFAULT-VALUE}.")
  private int generated;

  @Option(names = "--json", description = "One line of JSON.")
  private boolean json;

  @Option(names = "--kernels", description = "Instead: times the vector kernels against plain loops; fails if they are not vector code.")
  private boolean kernels;

  @Override
  public Integer call() throws IOException {
    return kernels ? compareKernels() : measureModel();
  }

  private static int compareKernels() {
    KernelMode.Choice choice = KernelMode.detect();
    if (!choice.reason().isEmpty()) {
      System.out.println("plain loops are all there is: " + choice.reason());
      return 0;
    }
    boolean passed = true;
    System.out.printf(Locale.ROOT, "%-6s %6s %12s %12s %8s %8s%n", "format", "tokens", "plain µs", choice.mode() + " µs", "gain", "GMAC/s");
    for (KernelCheck.Result result : KernelCheck.run(choice.mode())) {
      passed &= result.passes();
      System.out.printf(Locale.ROOT, "%-6s %6d %12.1f %12.1f %8.1f %8.1f%s%n", result.format(), result.tokens(), result.scalarNanos() / 1e3,
          result.vectorNanos() / 1e3, result.gain(), result.multiplyAddsPerSecond() / 1e9, result.passes() ? "" : "  TOO SLOW: not vector code");
    }
    for (PageKernelCheck.Result result : PageKernelCheck.run(choice.mode())) {
      passed &= result.passes();
      System.out.printf(Locale.ROOT, "%-10s %2d %12.1f %12.1f %8.1f%s%n", result.work(), result.rows(), result.scalarNanos() / 1e3,
          result.vectorNanos() / 1e3, result.gain(), result.passes() ? "" : "  TOO SLOW: not vector code");
    }
    return passed ? 0 : EXIT_SLOW_KERNELS;
  }

  private int measureModel() throws IOException {
    long start = System.nanoTime();
    ModelOpener.Opened opened = model.open();
    double load = seconds(start);
    LanguageModel runs = opened.loaded().model();
    if (prompt < 1 || generated < 1 || (long) prompt + generated > runs.contextLength()) {
      throw new IllegalArgumentException("--prompt " + prompt + " and --gen " + generated + " must be 1 or more, and together fit the context of " + runs.contextLength());
    }
    float[] logits = new float[runs.vocabularySize()];
    int[] ids = new int[prompt];
    for (int i = 0; i < prompt; i++) {
      ids[i] = (int) ((FIRST_ID + (long) ID_STEP * i) % ID_RANGE % runs.vocabularySize());
    }
    measure(runs, ids, Math.min(generated, 8), logits); // warms up the compiler and the caches
    double[] seconds = measure(runs, ids, generated, logits);
    ObjectNode out = JsonNodeFactory.instance.objectNode();
    out.put("model", opened.info().name()).put("load_seconds", load).put("prompt_tokens", prompt).put("generated_tokens", generated);
    out.put("prefill_tokens_per_second", prompt / seconds[0]).put("decode_tokens_per_second", generated / seconds[1]);
    out.put("time_to_first_token_seconds", seconds[0]).put("rss_bytes", memory("VmRSS")).put("threads", opened.loaded().threads());
    out.put("peak_rss_bytes", memory("VmHWM"));
    out.put("kv_cache", opened.loaded().model().pages().shape().format().toString());
    out.put("kv_bytes_per_token", opened.loaded().model().pages().shape().bytesPerToken());
    out.put("vector_bits", opened.loaded().kernels().mode().vectorBits());
    out.put("kernels", opened.loaded().kernels().mode() + " " + opened.loaded().formats());
    if (json) {
      System.out.println(new ObjectMapper().writeValueAsString(out));
    } else {
      out.properties().forEach(entry -> System.out.printf("%-28s %s%n", entry.getKey(), entry.getValue().asText()));
    }
    return 0;
  }

  /** Seconds of prefill and decode. */
  private static double[] measure(LanguageModel model, int[] ids, int generated, float[] logits) {
    try (LanguageModel.Sequence sequence = model.newSequence(ids.length + generated)) {
      long start = System.nanoTime();
      sequence.append(ids, 0, ids.length, logits);
      double prefill = seconds(start);
      start = System.nanoTime();
      int[] next = new int[1];
      for (int i = 0; i < generated; i++) {
        next[0] = largest(logits);
        sequence.append(next, 0, 1, logits);
      }
      return new double[] {prefill, seconds(start)};
    }
  }

  private static int largest(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }

  private static double seconds(long since) {
    return (System.nanoTime() - since) / 1e9;
  }

  /** Resident memory of this process, now (VmRSS) or at its most (VmHWM); 0 where the system does not tell. */
  private static long memory(String which) throws IOException {
    Path status = Path.of("/proc/self/status");
    if (!Files.isReadable(status)) {
      return 0;
    }
    return Files.readAllLines(status).stream().filter(line -> line.startsWith(which + ":")).findFirst()
        .map(line -> 1024 * Long.parseLong(line.replaceAll("\\D", ""))).orElse(0L);
  }
}
