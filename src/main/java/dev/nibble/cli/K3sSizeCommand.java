package dev.nibble.cli;

import dev.nibble.format.ModelFile;
import dev.nibble.format.Printable;
import dev.nibble.format.pack.PackFile;
import dev.nibble.model.MemoryNeed;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.tokenizer.GgufVocabulary;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Tells what a model needs on Kubernetes. Reads the file's metadata alone, so that any machine can tell for any other. */
@Command(name = "k3s-size", description = "Prints a Kustomize patch with the memory and processors that a model needs.", mixinStandardHelpOptions = true)
final class K3sSizeCommand implements Callable<Integer> {
  private static final int MOST_STREAMS = 4096; // beyond any gateway; keeps typing errors out
  private static final long MIB = 1 << 20;

  /** The native executable with the embedded model is 78 MB resident after a request (README, "Measured"): both servers, code, heap, and that small model itself. */
  private static final long PROGRAM = 78_000_000;
  /** A token of the vocabulary: string, score and hash tables took 144 bytes of heap (docs/operations.md); the rest is for the merges of byte-level ones. */
  private static final long VOCABULARY_TOKEN = 256;
  /** The limit's part above the request: garbage between collections, requests' and answers' buffers. Also, a native executable's heap may fill 80 % of a limit. */
  private static final int SPARE_FRACTION = 4;
  private static final long LEAST_SPARE = 64 * MIB; // 16 request bodies of 4 MB, the largest accepted

  @Option(names = "--model", paramLabel = "FILE", required = true, description = "GGUF or packed file.")
  private Path model;

  @Option(names = "--streams", paramLabel = "N", defaultValue = "1",
      description = "Sequences in memory together, each as long as the context; default ${DEFAULT-VALUE}: requests are computed one after the other.")
  private int streams;

  @Option(names = "--threads", paramLabel = "N", defaultValue = "2", description = "Threads that compute, at best a physical core each; default ${DEFAULT-VALUE}.")
  private int threads;

  @Override
  public Integer call() throws IOException {
    require("--streams", streams, MOST_STREAMS);
    require("--threads", threads, ModelOptions.MOST_THREADS);
    MemoryNeed need;
    long vocabulary;
    try (ModelFile file = PackFile.openAny(model)) {
      need = MemoryNeed.of(file, KvCacheOptions.DEFAULT);
      vocabulary = VOCABULARY_TOKEN * GgufVocabulary.read(file.metadata()).tokens().size();
    }
    System.out.print(patch(need, vocabulary));
    return 0;
  }

  private static void require(String option, int value, int most) {
    if (value < 1 || value > most) {
      throw new IllegalArgumentException(option + " is " + value + "; allowed: 1 to " + most);
    }
  }

  private String patch(MemoryNeed need, long vocabulary) {
    long request = PROGRAM + vocabulary + need.weights() + need.scratch() + streams * need.sequence();
    long limit = request + Math.max(LEAST_SPARE, request / SPARE_FRACTION);
    // One processor more than computes as the limit: a thread throttled for the servers' sake would keep all the others waiting.
    return String.format(Locale.ROOT, """
        # Made by nibble k3s-size for %s. Memory, in MiB:
        # %7d  the program
        # %7d  the vocabulary
        # %7d  weights
        # %7d  scratch
        # %7d  keys and values of %d × %d tokens (%s)
        # The limit leaves a quarter more, and 64 at least, for garbage and buffers.
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: nibble
          namespace: nibble
        spec:
          template:
            spec:
              containers:
                - name: nibble
                  env:
                    - name: NIBBLE_THREADS
                      value: "%d"
                  resources:
                    requests:
                      cpu: "%d"
                      memory: %dMi
                    limits:
                      cpu: "%d"
                      memory: %dMi
        """, Printable.message(model.getFileName().toString()), mebibytes(PROGRAM), mebibytes(vocabulary), mebibytes(need.weights()),
        mebibytes(need.scratch()), mebibytes(streams * need.sequence()), streams, need.context(), need.cache(), threads, threads, mebibytes(request),
        threads + 1, mebibytes(limit));
  }

  /** Rounded up. */
  private static long mebibytes(long bytes) {
    return (bytes + MIB - 1) / MIB;
  }
}
