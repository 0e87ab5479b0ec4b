package dev.nibble.kernel;

import dev.nibble.tensor.TensorFormat;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collection;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * Matrix products beside plain reading of memory, in one run. As a program: JMH's options, then a table with bytes and multiply-adds a second and
 * with the part of the bandwidth that the products reach. {@code -p format=Q4_0,Q8_0 -p tokens=1,64 -p threads=1,2 -p memory=0} chooses.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 4, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 8, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = "-Xmx2g") // beside the options of the JVM that starts it: those of src/main/jvm/options
public class KernelBench {
  /** Feed-forward of TinyLlama 1.1B: 6.5 MB in INT4. */
  private static final int ROWS = 5632;
  private static final int COLUMNS = 2048;
  private static final int READ_PIECES = 512;

  /** Matrices to multiply with. */
  @State(Scope.Benchmark)
  public static class Matrices {
    @Param("Q4_0")
    TensorFormat format;

    @Param({"1", "64"})
    int tokens;

    @Param({"1", "2"})
    int threads;

    /** {@code best}, or the name of a mode. */
    @Param("best")
    String mode;

    /** Megabytes of matrices that are multiplied with in turn, so that caches do not hold them; 0 for one matrix alone. */
    @Param("640")
    int memory;

    private WorkerPool pool;
    private Products products;
    private TiledMatrix[] matrices;
    private Activations x;
    private float[] out;
    private int next;

    @Setup
    public void fill() {
      pool = new WorkerPool(threads);
      products = new Products(pool, modeOf(mode));
      MemorySegment source = Arena.global().allocate(format.bytes((long) ROWS * COLUMNS), 64);
      matrices = new TiledMatrix[Math.max(1, (int) (memory * 1_000_000L / source.byteSize()))];
      for (int i = 0; i < matrices.length; i++) {
        matrices[i] = TilePacker.pack(format, source, ROWS, COLUMNS, Arena.global(), pool);
      }
      x = new Activations(tokens, COLUMNS);
      for (int i = 0; i < x.values().length; i++) {
        x.values()[i] = i % 255 - 127;
      }
      for (int token = 0; token < tokens; token++) {
        x.quantize(token, Kernels.SCALAR);
      }
      out = new float[tokens * TiledMatrix.padded(ROWS)];
    }

    @TearDown
    public void close() {
      pool.close();
    }
  }

  /** Memory to read. */
  @State(Scope.Benchmark)
  public static class Memory {
    @Param({"1", "2"})
    int threads;

    @Param("best")
    String mode;

    private WorkerPool pool;
    private MemorySegment buffer;

    @Setup
    public void fill() {
      pool = new WorkerPool(threads);
      buffer = Arena.global().allocate((long) READ_PIECES * KernelProvider.PIECE_BYTES, 64);
    }

    @TearDown
    public void close() {
      pool.close();
    }
  }

  static KernelProvider modeOf(String name) {
    return name.equals("best") ? Kernels.choose().provider() : Kernels.ALL.stream().filter(provider -> provider.toString().equals(name)).findAny().orElseThrow();
  }

  /** One product of a matrix with some vectors. */
  @Benchmark
  public float[] multiply(Matrices all) {
    all.next = (all.next + 1) % all.matrices.length;
    all.products.multiply(all.x, all.tokens, all.matrices[all.next], all.out, TiledMatrix.padded(ROWS));
    return all.out;
  }

  /** Reads half a gigabyte. */
  @Benchmark
  public int[] read(Memory memory) {
    int[] sums = new int[memory.threads * 16]; // a cache line each
    KernelProvider mode = modeOf(memory.mode);
    memory.pool.run(READ_PIECES, 1, (worker, from, to) -> sums[worker * 16] += mode.read(memory.buffer, from, to));
    return sums;
  }

  public static void main(String[] arguments) throws Exception {
    CommandLineOptions options = new CommandLineOptions(arguments);
    if (options.shouldHelp()) {
      options.showHelp();
      return;
    }
    Collection<RunResult> results = new Runner(new OptionsBuilder().parent(options).include(KernelBench.class.getSimpleName()).build()).run();
    Map<String, Double> bandwidths = new HashMap<>(); // by threads and mode
    for (RunResult result : results) {
      if (result.getParams().getBenchmark().endsWith(".read")) {
        bandwidths.put(key(result), (double) READ_PIECES * KernelProvider.PIECE_BYTES / result.getPrimaryResult().getScore());
      }
    }
    System.out.printf(Locale.ROOT, "%n%-6s %6s %7s %-10s %9s %8s %8s %14s%n", "format", "tokens", "threads", "mode", "memory MB", "GB/s", "GMAC/s", "of bandwidth");
    bandwidths.forEach((key, speed) -> System.out.printf(Locale.ROOT, "%-6s %6s %7s %-10s %9s %8.1f %8s %14s%n", "read", "", key.split(" ")[0], key.split(" ")[1],
        READ_PIECES * KernelProvider.PIECE_BYTES / 1_000_000, speed, "", ""));
    for (RunResult result : results) {
      if (result.getParams().getBenchmark().endsWith(".multiply")) {
        TensorFormat format = TensorFormat.valueOf(result.getParams().getParam("format"));
        int tokens = Integer.parseInt(result.getParams().getParam("tokens"));
        double nanos = result.getPrimaryResult().getScore();
        double speed = format.bytes((long) ROWS * COLUMNS) / nanos; // tiles of these shapes have no padding
        Double bandwidth = bandwidths.get(key(result));
        System.out.printf(Locale.ROOT, "%-6s %6d %7s %-10s %9s %8.1f %8.1f %14s%n", format, tokens, result.getParams().getParam("threads"),
            result.getParams().getParam("mode"), result.getParams().getParam("memory"), speed, (double) ROWS * COLUMNS * tokens / nanos,
            bandwidth == null ? "not measured" : String.format(Locale.ROOT, "%.2f", speed / bandwidth));
      }
    }
  }

  private static String key(RunResult result) {
    return result.getParams().getParam("threads") + " " + result.getParams().getParam("mode");
  }
}
