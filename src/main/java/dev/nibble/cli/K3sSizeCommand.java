package dev.nibble.cli;

import dev.nibble.format.Printable;
import dev.nibble.format.gguf.ModelFile;
import dev.nibble.format.pack.PackFile;
import dev.nibble.model.MemoryNeed;
import dev.nibble.model.MemoryPlan;
import dev.nibble.model.kvcache.KvCacheOptions;
import dev.nibble.serve.api.Settings;
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

  /** A token of the vocabulary: string, score and hash tables took 144 bytes of heap (docs/operations.md); the rest is for the merges of byte-level ones. */
  private static final long VOCABULARY_TOKEN = 256;

  @Option(names = "--model", paramLabel = "FILE", required = true, description = "GGUF file, the first of several, or packed file.")
  private Path model;

  @Option(names = "--streams", paramLabel = "N", defaultValue = "1",
      description = "Sequences in memory together, each as long as the context; default ${DEFAULT-VALUE}: requests are computed one after the other.")
  private int streams;

  @Option(names = "--threads", paramLabel = "N", defaultValue = "2", description = "Threads that compute, at best a physical core each; default ${DEFAULT-VALUE}.")
  private int threads;

  @Override
  public Integer call() throws IOException {
    require("--streams", streams, MOST_STREAMS);
    Settings.THREADS.read("--threads", Integer.toString(threads));
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
    MemoryPlan plan = MemoryPlan.needed(need, vocabulary, streams);
    long live = MemoryPlan.live(need, vocabulary, streams);
    long request = plan.program() + plan.weights() + live;
    // One processor more than computes as the limit: a thread throttled for the servers' sake would keep all the others waiting.
    return String.format(Locale.ROOT, """
        # Made by nibble k3s-size for %s. Memory, in MiB:
        # %7d  the program, outside its heap
        # %7d  weights
        # %7d  heap in use: the servers and their requests,
        # %7d    the vocabulary,
        # %7d    scratch,
        # %7d    keys and values of %d × %d tokens (%s)
        # The limit has as much again for garbage until it is collected, and %d for connections' buffers.
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
        """, Printable.message(model.getFileName().toString()), mebibytes(plan.program()), mebibytes(need.weights()), mebibytes(live),
        mebibytes(vocabulary), mebibytes(need.scratch()), mebibytes(streams * need.sequence()), streams, need.context(), need.cache(), mebibytes(plan.buffers()),
        threads, threads, mebibytes(request), threads + 1, mebibytes(plan.limit()));
  }

  /** Rounded up. */
  private static long mebibytes(long bytes) {
    return (bytes + MIB - 1) / MIB;
  }
}
