package dev.nibble.kernel;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;

/**
 * Memory for a model's weights outside the heap, taken piece by piece and given back at once, by any thread. What it hands out is plain memory that kernels read
 * without asking whether it is still there: whoever closes it makes sure that nobody computes any more.
 *
 * <p>Each piece is of an arena that is confined to a virtual thread, which waits to close it: native executables with vectors have no shared arenas, and those
 * that are closed by the garbage collector would keep a model until it happens to run.
 */
public final class NativeMemory implements AutoCloseable {
  /** Makes a piece in an arena. */
  @FunctionalInterface
  private interface Piece {
    MemorySegment in(Arena arena) throws IOException;
  }

  private final CountDownLatch end = new CountDownLatch(1);
  private final List<Thread> owners = new ArrayList<>(); // guarded by itself
  private final List<Closeable> files = new ArrayList<>(); // guarded by owners

  /**
   * Memory filled with zeros; several threads may ask at once.
   *
   * @param bytes 0 or more
   * @param alignment a power of two
   * @throws IllegalStateException after closing
   */
  public MemorySegment allocate(long bytes, long alignment) {
    try {
      return take(arena -> arena.allocate(bytes, alignment));
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail so
    }
  }

  /**
   * The first bytes of a file, mapped to be read only.
   *
   * @throws IOException if the file can't be mapped
   * @throws IllegalStateException after closing
   */
  public MemorySegment map(FileChannel channel, long bytes) throws IOException {
    return take(arena -> channel.map(FileChannel.MapMode.READ_ONLY, 0, bytes, arena)).asReadOnly();
  }

  /** Has a file closed with this memory. */
  public void closes(Closeable file) {
    synchronized (owners) {
      files.add(file);
    }
  }

  private MemorySegment take(Piece piece) throws IOException {
    CompletableFuture<MemorySegment> made = new CompletableFuture<>();
    Thread owner = Thread.ofVirtual().name("nibble-memory").unstarted(() -> {
      try (Arena arena = Arena.ofConfined()) {
        made.complete(piece.in(arena));
        awaitEnd();
      } catch (Throwable failure) {
        made.completeExceptionally(failure);
      }
    });
    synchronized (owners) {
      if (end.getCount() == 0) {
        throw new IllegalStateException("the memory was given back");
      }
      owners.add(owner);
      owner.start();
    }
    try {
      MemorySegment own = made.join();
      // The same bytes, without the arena's owner.
      return MemorySegment.ofAddress(own.address()).reinterpret(own.byteSize());
    } catch (CompletionException failed) {
      switch (failed.getCause()) {
        case IOException e -> throw e;
        case RuntimeException e -> throw e;
        case Error e -> throw e;
        default -> throw failed;
      }
    }
  }

  private void awaitEnd() {
    while (true) {
      try {
        end.await();
        return;
      } catch (InterruptedException ignored) {
        // Nobody interrupts it for a reason: what it owns is in use.
      }
    }
  }

  /** Gives everything back, and returns when that is done; idempotent. */
  @Override
  public void close() {
    end.countDown();
    List<Thread> all;
    List<Closeable> opened;
    synchronized (owners) {
      all = List.copyOf(owners);
      owners.clear();
      opened = List.copyOf(files);
      files.clear();
    }
    boolean interrupted = false;
    for (Thread owner : all) {
      while (owner.isAlive()) {
        try {
          owner.join();
        } catch (InterruptedException interrupt) {
          interrupted = true;
        }
      }
    }
    for (Closeable file : opened) {
      try {
        file.close();
      } catch (IOException nothingToDo) {
        // It was read alone.
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
