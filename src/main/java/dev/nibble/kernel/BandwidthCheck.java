package dev.nibble.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * How fast a number of threads can read memory, with the loads that the kernels use: the roof that decoding is measured against
 * (Williams, Waterman, Patterson 2009, "Roofline").
 *
 * <p>A buffer of zeros is read in order, by all threads together, several times over; the fastest pass counts, as in STREAM (McCalpin 1995),
 * since other programs can only make one slower. The buffer is to be larger than the last cache: a virtual machine may be told of
 * a cache of hundreds of megabytes that it shares with its neighbours, so its size can't be gone by. Four times what is compared with it
 * is a good size: the second reading of a byte then comes later than decoding's does.
 */
public final class BandwidthCheck {
  /** Large enough for any cache of a gateway. */
  private static final long LEAST_BYTES = 256L << 20;
  /** 1 GiB: filled and read in less than a second even by small machines, and twice the largest cache seen. */
  private static final long MOST_BYTES = 1L << 30;
  private static final int WARM_UPS = 64; // pieces; loops of 8192 rounds each are compiled within a few
  private static final int MOST_PASSES = 12;
  private static final long PATIENCE_NANOS = 400_000_000L;

  private BandwidthCheck() {}

  /** Size of the buffer that goes with a program that reads {@code bytes} again and again, where {@code available} memory is free. */
  public static long bufferBytes(long bytes, long available) {
    long wanted = Math.clamp(4 * bytes, LEAST_BYTES, MOST_BYTES);
    return Math.max(KernelProvider.PIECE_BYTES, Math.min(wanted, available / 2) / KernelProvider.PIECE_BYTES * KernelProvider.PIECE_BYTES);
  }

  /**
   * Bytes a second that {@code threads} threads read together.
   *
   * @param bytes of the buffer; it stays allocated until the process ends, since not every native image can give memory back that
   *     several threads use
   */
  public static double bytesPerSecond(int threads, KernelProvider kernels, long bytes) {
    int pieces = Math.toIntExact(bytes / KernelProvider.PIECE_BYTES);
    MemorySegment memory = Arena.global().allocate((long) pieces * KernelProvider.PIECE_BYTES, 64);
    AtomicInteger sum = new AtomicInteger();
    try (WorkerPool pool = new WorkerPool(threads)) {
      long end = System.nanoTime() + PATIENCE_NANOS;
      for (int i = 0; i < WARM_UPS && System.nanoTime() < end; i++) {
        sum.addAndGet(kernels.read(memory, 0, 1));
      }
      long shortest = Long.MAX_VALUE;
      end = System.nanoTime() + PATIENCE_NANOS;
      for (int pass = 0; pass < MOST_PASSES && (pass == 0 || System.nanoTime() < end); pass++) {
        long start = System.nanoTime();
        pool.run(pieces, 1, (worker, from, to) -> sum.addAndGet(kernels.read(memory, from, to)));
        shortest = Math.min(shortest, System.nanoTime() - start);
      }
      // Also keeps a compiler from leaving out reads whose result nobody looks at.
      if (sum.get() != 0) {
        throw new IllegalStateException("fresh memory is not zero");
      }
      return 1e9 * pieces * KernelProvider.PIECE_BYTES / shortest;
    }
  }
}
