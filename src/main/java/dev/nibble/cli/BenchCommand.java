package dev.nibble.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.energy.EnergySources;
import dev.nibble.eval.GreedyRun;
import dev.nibble.eval.LogitsDigest;
import dev.nibble.kernel.BandwidthCheck;
import dev.nibble.kernel.KernelCheck;
import dev.nibble.kernel.Kernels;
import dev.nibble.kernel.PageKernelCheck;
import dev.nibble.model.Decoder;
import dev.nibble.model.DecoderLoader;
import dev.nibble.runtime.ModelOpener;
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
  private static final int EXIT_SLOW_KERNELS = 1;

  @Mixin
  private ModelOptions model;

  @Option(names = "--prompt", paramLabel = "N", defaultValue = "256", description = "Prompt tokens; default ${DEFAULT-VALUE}.")
  private int prompt;

  @Option(names = "--gen", paramLabel = "N", defaultValue = "48", description = "Tokens to decode; default ${DEFAULT-VALUE}.")
  private int generated;

  @Option(names = "--json", description = "One line of JSON.")
  private boolean json;

  @Option(names = "--digest", description = "Instead: the SHA-256 of all logits' bits, the same on every machine.")
  private boolean digest;

  @Option(names = "--kernels", description = "Instead: times the vector kernels against plain loops; fails if they are not vector code.")
  private boolean kernels;

  @Override
  public Integer call() throws IOException {
    if (kernels && digest) {
      throw new IllegalArgumentException("--kernels and --digest are two things: name one");
    }
    return kernels ? compareKernels() : measureModel();
  }

  private static int compareKernels() {
    Kernels kernels = Kernels.choose();
    System.out.println(kernels);
    if (!kernels.provider().vectors()) {
      return 0;
    }
    boolean passed = true;
    System.out.printf(Locale.ROOT, "%-14s %6s %12s %12s %8s %8s%n", "layout", "tokens", "plain µs", kernels.provider() + " µs", "gain", "GMAC/s");
    for (KernelCheck.Result result : KernelCheck.run(kernels.provider())) {
      passed &= result.passes();
      System.out.printf(Locale.ROOT, "%-14s %6d %12.1f %12.1f %8.1f %8.1f%s%n", result.layout(), result.tokens(), result.scalarNanos() / 1e3,
          result.vectorNanos() / 1e3, result.gain(), result.multiplyAddsPerSecond() / 1e9, result.passes() ? "" : "  TOO SLOW: not vector code");
    }
    for (PageKernelCheck.Result result : PageKernelCheck.run(kernels.provider())) {
      passed &= result.passes();
      System.out.printf(Locale.ROOT, "%-18s %2d %12.1f %12.1f %8.1f%s%n", result.work(), result.rows(), result.scalarNanos() / 1e3,
          result.vectorNanos() / 1e3, result.gain(), result.passes() ? "" : "  TOO SLOW: not vector code");
    }
    return passed ? 0 : EXIT_SLOW_KERNELS;
  }

  private int measureModel() throws IOException {
    try (ModelOpener opener = model.opener()) {
      long start = System.nanoTime();
      try (ModelOpener.Opened opened = model.open(opener)) {
        return measure(opened, seconds(start));
      }
    }
  }

  private int measure(ModelOpener.Opened opened, double load) throws IOException {
    Decoder runs = opened.loaded().model();
    if (prompt < 1 || generated < 1 || (long) prompt + generated > runs.contextLength()) {
      throw new IllegalArgumentException("--prompt " + prompt + " and --gen " + generated + " must be 1 or more, and together fit the context of " + runs.contextLength());
    }
    if (prompt + generated > runs.longestSequence()) {
      throw new IllegalArgumentException("--kv-memory holds " + runs.longestSequence() + " tokens; --prompt " + prompt + " and --gen " + generated + " need more");
    }
    int[] ids = GreedyRun.prompt(prompt, runs.vocabularySize());
    if (digest) {
      return print(description(opened).put("logits_sha256", LogitsDigest.of(runs, ids, generated)), "logits_sha256");
    }
    GreedyRun.run(runs, ids, Math.min(generated, 8), logits -> {}); // warms up the compiler and the caches
    BenchEnergy energy = new BenchEnergy(EnergySources.detect());
    GreedyRun.Seconds seconds;
    try (energy) {
      seconds = GreedyRun.run(runs, ids, generated, logits -> energy.logits());
      energy.end();
    }
    ObjectNode out = description(opened).put("load_seconds", load).put("time_to_first_token_seconds", seconds.prefill());
    out.put("prefill_tokens_per_second", prompt / seconds.prefill()).put("decode_tokens_per_second", generated / seconds.decode());
    out.put("rss_bytes", memory(Path.of("/proc/self/status"), "VmRSS:")); // before the roofline's buffer
    out.put("peak_rss_bytes", memory(Path.of("/proc/self/status"), "VmHWM:"));
    putRoofline(out, opened.loaded(), seconds.decode() / generated);
    energy.put(out, prompt, generated);
    return print(out, null);
  }

  /** What ran. */
  private ObjectNode description(ModelOpener.Opened opened) {
    ObjectNode out = JsonNodeFactory.instance.objectNode();
    out.put("model", opened.info().name()).put("prompt_tokens", prompt).put("generated_tokens", generated);
    out.put("threads", opened.loaded().threads()).put("vector_bits", opened.loaded().kernels().provider().vectorBits());
    out.put("kv_cache", opened.loaded().model().pages().shape().format().toString());
    out.put("kv_bytes_per_token", opened.loaded().model().pages().shape().bytesPerToken());
    return out.put("kernels", opened.loaded().kernels().provider() + " " + opened.loaded().formats());
  }

  /** What part of a decoded token's time reading its weights, keys and values alone would have taken. */
  private void putRoofline(ObjectNode out, DecoderLoader.Loaded loaded, double secondsPerToken) throws IOException {
    long bytes = loaded.model().bytesPerToken(prompt + generated / 2); // at the mean position
    long available = memory(Path.of("/proc/meminfo"), "MemAvailable:");
    double bandwidth = BandwidthCheck.bytesPerSecond(loaded.threads(), loaded.kernels().provider(),
        BandwidthCheck.bufferBytes(bytes, available == 0 ? Long.MAX_VALUE : available));
    out.put("bytes_per_token", bytes).put("memory_bandwidth_bytes_per_second", bandwidth);
    out.put("roofline_fraction", bytes / secondsPerToken / bandwidth);
  }

  /** Prints all fields, or without --json {@code only} one of them. */
  private int print(ObjectNode out, String only) throws IOException {
    if (json) {
      System.out.println(new ObjectMapper().writeValueAsString(out));
    } else if (only != null) {
      System.out.println(out.path(only).asText());
    } else {
      out.properties().forEach(entry -> System.out.printf("%-36s %s%n", entry.getKey(), entry.getValue().asText()));
    }
    return 0;
  }

  private static double seconds(long since) {
    return (System.nanoTime() - since) / 1e9;
  }

  /** A line of the system's, in bytes; 0 where the system does not tell. */
  private static long memory(Path file, String field) throws IOException {
    if (!Files.isReadable(file)) {
      return 0;
    }
    return Files.readAllLines(file).stream().filter(line -> line.startsWith(field)).findFirst()
        .map(line -> 1024 * Long.parseLong(line.replaceAll("\\D", ""))).orElse(0L);
  }
}
