package dev.nibble.model;

import dev.nibble.kernel.MachineMemory;
import java.util.Optional;

/**
 * How the memory that this process may use is shared out, so that a full heap and all that is not heap fit into it together: a native executable would take
 * 80 % of a container's limit for its heap, whatever the weights beside it need, and be killed. Bytes.
 *
 * <p>The heap holds keys and values, the vocabulary, requests and answers, and garbage until it is collected; {@link #heap} is its largest size, which a runtime
 * is told when it starts.
 *
 * @param limit what the process may use
 * @param limited whether a cgroup sets the limit, rather than the size of a machine that others use as well
 * @param program code, threads, and what native libraries keep
 * @param weights tiles of matrices, in native memory or mapped
 * @param buffers of connections, outside the heap
 */
public record MemoryPlan(long limit, boolean limited, long program, long weights, long buffers, long heap) {
  private static final long MIB = 1 << 20;
  /** Of the executable 55 MB were resident after some requests, with heap 91 (docs/operations.md); threads' stacks and the C library's memory are the rest. */
  private static final long NATIVE_PROGRAM = 60 * MIB;
  /** Classes, compiled code and the compiler itself. */
  private static final long JVM_PROGRAM = 240 * MIB;
  private static final long MIN_BUFFERS = 16 * MIB;
  private static final long MAX_BUFFERS = 256 * MIB;
  private static final int BUFFER_FRACTION = 8; // of what program and weights leave
  private static final long MIN_HEAP = 32 * MIB; // below it the servers alone fill the heap
  /** The servers, libraries and the tables of metrics: 24 MB of heap were in use after some requests. */
  private static final long SERVERS = 28 * MIB;
  /** Requests before they are in line; the least that {@code nibble.prepare.memory} is by default. */
  private static final long REQUESTS = 8 * MIB;
  /** A collection copies what is in use before it frees what is not; the copy is garbage's room at other times. */
  private static final int HEAP_FACTOR = 2;
  private static final int MACHINE_QUARTERS = 3; // of a machine's memory, as nibble.service has it

  /** The shares of this process as it runs, with the heap that it was started with. @param weights bytes of the model's matrices as they are kept */
  public static MemoryPlan here(long weights) {
    MemoryPlan best = of(MachineMemory.here(), weights, nativeImage());
    return new MemoryPlan(best.limit, best.limited, best.program, weights, best.buffers, Runtime.getRuntime().maxMemory());
  }

  /** The shares that fit together for this process. @param weights about as many bytes as the model's matrices take */
  public static MemoryPlan fitting(long weights) {
    return of(MachineMemory.here(), weights, nativeImage());
  }

  static MemoryPlan of(MachineMemory memory, long weights, boolean nativeImage) {
    long program = nativeImage ? NATIVE_PROGRAM : JVM_PROGRAM;
    // A machine is left a quarter for what else runs on it.
    long left = (memory.limited() ? memory.bytes() : memory.bytes() / 4 * MACHINE_QUARTERS) - program - weights;
    long buffers = Math.clamp(left / BUFFER_FRACTION, MIN_BUFFERS, MAX_BUFFERS);
    return new MemoryPlan(memory.bytes(), memory.limited(), program, weights, buffers, Math.max(MIN_HEAP, left - buffers));
  }

  private static boolean nativeImage() {
    return "runtime".equals(System.getProperty("org.graalvm.nativeimage.imagecode"));
  }

  /** Whether a heap of {@code bytes} would be too large beside the rest. */
  public boolean overfilledBy(long bytes) {
    return bytes > heap && bytes > limit - program - weights - buffers;
  }

  /** What a native executable needs to be given for a model, with so many sequences as long as its context in memory together. */
  public static MemoryPlan needed(MemoryNeed need, long vocabulary, int streams) {
    long cached = streams * need.sequence();
    // Pages of keys and values are never copied; but by default they may take no more than half of the heap.
    long heap = Math.max(HEAP_FACTOR * (live(need, vocabulary, streams) - cached) + cached, 2 * cached);
    long buffers = Math.clamp((heap + BUFFER_FRACTION - 2) / (BUFFER_FRACTION - 1), MIN_BUFFERS, MAX_BUFFERS);
    return new MemoryPlan(NATIVE_PROGRAM + need.weights() + buffers + heap, true, NATIVE_PROGRAM, need.weights(), buffers, heap);
  }

  /** Heap in use at once while so many sequences are computed. */
  public static long live(MemoryNeed need, long vocabulary, int streams) {
    return SERVERS + REQUESTS + vocabulary + need.scratch() + streams * need.sequence();
  }

  /** What to say where the model does not fit; empty where it does. */
  public Optional<String> complaint() {
    long sum = program + weights + buffers + heap;
    if (sum <= limit) {
      return Optional.empty();
    }
    return Optional.of("The model does not fit into " + (limited ? "this container's limit" : "this machine's memory") + ": " + this
        + ". Together that is " + mebibytes(sum) + " MB: give it more, or take a smaller model"
        + (nativeImage() ? "." : ", or a smaller heap (-Xmx)."));
  }

  /** In one line, for people. */
  @Override
  public String toString() {
    return mebibytes(limit) + " MB" + (limited ? " (the cgroup's limit)" : " (this machine's)") + ", of which program " + mebibytes(program) + ", weights "
        + mebibytes(weights) + ", buffers " + mebibytes(buffers) + ", heap " + mebibytes(heap);
  }

  /** Rounded up. */
  private static long mebibytes(long bytes) {
    return (bytes + MIB - 1) / MIB;
  }
}
