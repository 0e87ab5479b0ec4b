package dev.nibble.serve.api;

import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.tokenizer.EncodingBudget;
import dev.nibble.tokenizer.EncodingStoppedException;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.configuration.MemorySize;
import jakarta.annotation.PreDestroy;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.eclipse.microprofile.config.Config;

/**
 * The one door of the service, for requests of every wire. A request gets a place before anything is done for it that costs time or memory, or is refused at
 * once; it keeps its place while its text is read, turned into a prompt and into tokens, and hands it over when the engine has put it in line. Places and those
 * who wait in line count together, so that no request that was let in is refused later for want of room.
 *
 * <p>What is done for a request on the way ({@link Place#prepare}) runs on threads of its own: event loops and the carriers of virtual threads, which move
 * everybody's bytes, never do it. Large requests have a thread apart, so that small ones do not wait for them. It ends after a time
 * ({@code nibble.prepare.timeout}) and when the client leaves, which also gives back place and memory at once.
 */
@Singleton
public final class Admission {
  /** Requests of up to so many bytes are small. */
  public static final int SMALL = 64 * 1024;

  /** Part of the heap that requests may fill before they are prepared, where no setting says otherwise. */
  private static final int HEAP_FRACTION = 8;
  /**
   * That part is no larger than this for each processor: what is let in has to be collected as garbage while all wait, so it costs them time by its size, and no
   * more than this is read faster.
   */
  private static final long PROCESSOR_MEMORY = 8 << 20;
  /** Bodies of the largest size allowed that fit in it at least: one by itself, and the part that is left to small ones. */
  public static final int BODIES = 2;
  /** Part of that memory which large requests leave to small ones. */
  private static final int SMALL_FRACTION = 4;
  /** Part of the places that large requests may take: they wait for each other, and small ones come past. */
  private static final int LARGE_FRACTION = 2;

  private final int capacity;
  private final Duration timeout;
  private final long memory;
  private final ThreadPoolExecutor small;
  private final ThreadPoolExecutor large;
  private final Counter refusedForMemory;
  private final Counter refusedAsLarge;
  private final Counter timedOut;

  // Guarded by lock, which is taken before an engine's.
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition none = lock.newCondition();
  private int places;
  private int largePlaces; // of these
  private long held;
  private boolean stopping;

  @Inject
  Admission(ServeConfig config, Config settings, MeterRegistry registry) {
    this(config.queueCapacity(), config.prepare().timeout(), config.prepare().memory().map(MemorySize::asLongValue)
        .orElseGet(() -> Math.max(BODIES * Settings.MAX_BODY_SIZE.in(settings).asLongValue(), defaultMemory())), registry);
  }

  private static long defaultMemory() {
    Runtime machine = Runtime.getRuntime();
    return Math.min(machine.maxMemory() / HEAP_FRACTION, PROCESSOR_MEMORY * machine.availableProcessors());
  }

  Admission(int capacity, Duration timeout, long memory, MeterRegistry registry) {
    this.capacity = capacity;
    this.timeout = timeout;
    this.memory = memory;
    small = lane("nibble-prepare-", Math.max(1, Runtime.getRuntime().availableProcessors() / 2));
    large = lane("nibble-prepare-large-", 1);
    Gauge.builder("nibble.requests.preparing", this, Admission::preparing).description("Requests let in that are not in line yet.").register(registry);
    Gauge.builder("nibble.prepare.memory", this, Admission::heldBytes).baseUnit("bytes").description("Memory of requests that are not in line yet.").register(registry);
    refusedForMemory = Counter.builder("nibble.prepare.refused").tag("reason", "memory").description("Requests not let in, or given up, before they were in line.").register(registry);
    refusedAsLarge = Counter.builder("nibble.prepare.refused").tag("reason", "large").register(registry);
    timedOut = Counter.builder("nibble.prepare.refused").tag("reason", "timeout").register(registry);
  }

  private static ThreadPoolExecutor lane(String name, int threads) {
    AtomicInteger number = new AtomicInteger();
    // Its queue is bounded by the places.
    return new ThreadPoolExecutor(threads, threads, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(),
        task -> Thread.ofPlatform().name(name + number.incrementAndGet()).daemon(true).unstarted(task));
  }

  @PreDestroy
  void close() {
    small.shutdownNow();
    large.shutdownNow();
  }

  /**
   * Looks whether there is room for a request whose body is still to come. It does not count before it {@link Place#enter enters}, or turns out to be large: who
   * sends slowly keeps no place from others.
   *
   * @throws EngineException QUEUE_FULL or SHUTTING_DOWN
   */
  public Place arrive(Engine engine) {
    lock.lock();
    try {
      requireRoom(Optional.of(engine));
    } finally {
      lock.unlock();
    }
    return new Place(Optional.of(engine));
  }

  /** Lets in a request for an engine, which is there in full. @throws EngineException QUEUE_FULL or SHUTTING_DOWN */
  public Place enter(Engine engine, long bytes) {
    return new Place(Optional.of(engine)).entered(bytes);
  }

  /** Lets in a request that no engine will see. @throws EngineException QUEUE_FULL or SHUTTING_DOWN */
  public Place enter(long bytes) {
    return new Place(Optional.empty()).entered(bytes);
  }

  /** Requests for an engine that wait for their turn, those that are being prepared included. */
  public int waiting(Engine engine) {
    lock.lock();
    try {
      return places + engine.queueDepth();
    } finally {
      lock.unlock();
    }
  }

  /** Requests that have a place. */
  public int preparing() {
    lock.lock();
    try {
      return places;
    } finally {
      lock.unlock();
    }
  }

  private long largeMemory() {
    return memory - memory / SMALL_FRACTION;
  }

  private long heldBytes() {
    lock.lock();
    try {
      return held;
    } finally {
      lock.unlock();
    }
  }

  /** Lets nobody in from now on, and waits until those inside have handed over or gone; false if some still are after {@code patience}. */
  public boolean drain(Duration patience) {
    lock.lock();
    try {
      stopping = true;
      long left = TimeUnit.NANOSECONDS.convert(patience);
      while (places > 0 && left > 0) {
        left = none.awaitNanos(left);
      }
      return places == 0;
    } catch (InterruptedException interrupt) {
      Thread.currentThread().interrupt();
      return false;
    } finally {
      lock.unlock();
    }
  }

  /** With the lock held. */
  private void requireRoom(Optional<Engine> engine) {
    if (stopping) {
      engine.ifPresent(line -> line.countRefusal(EngineError.SHUTTING_DOWN));
      throw new EngineException(EngineError.SHUTTING_DOWN, "The service is stopping and takes no new requests.", Map.of());
    }
    engine.ifPresent(line -> line.requireRoom(places));
    // One more than may wait: an idle engine takes one at once.
    if (places > capacity) {
      throw full(places + " requests are being prepared already; try again in 1 s.");
    }
  }

  private EngineException full(String message) {
    return new EngineException(EngineError.QUEUE_FULL, message, Map.of("retry_after_seconds", "1", "queue_capacity", Integer.toString(capacity)));
  }

  private static EngineException cancelled() {
    return new EngineException(EngineError.CANCELLED, "The request was cancelled.", Map.of());
  }

  /** A request's place, from its arrival until the engine has it, or it ends. {@link #leave} may come from any thread, the rest from one at a time. */
  public final class Place implements AutoCloseable {
    private final Optional<Engine> engine;
    private volatile boolean gone;

    // Guarded by lock.
    private boolean inside;
    private boolean isLarge;
    private long bytes;
    private long deadlineNanos; // once inside
    private FutureTask<?> task; // null: nothing is being done

    private Place(Optional<Engine> engine) {
      this.engine = engine;
    }

    private Place entered(long size) {
      lock.lock();
      try {
        enter();
        hold(size);
      } finally {
        lock.unlock();
      }
      return this;
    }

    /** Takes a place; idempotent. @throws EngineException QUEUE_FULL or SHUTTING_DOWN, or CANCELLED if the client has left */
    public void enter() {
      lock.lock();
      try {
        requirePresent();
        if (!inside) {
          requireRoom(engine);
          inside = true;
          places++;
          deadlineNanos = System.nanoTime() + TimeUnit.NANOSECONDS.convert(timeout);
        }
      } finally {
        lock.unlock();
      }
    }

    /**
     * Sees that memory is set aside for so many bytes in all; a large request takes its place by that. A refusal gives up what the request had.
     *
     * @throws EngineException QUEUE_FULL if there is no memory left, or too many large requests are there
     */
    public void hold(long total) {
      lock.lock();
      try {
        requirePresent();
        if (total > bytes) {
          requireMemory(total);
          held += total - bytes;
          bytes = total;
        }
      } catch (EngineException refusal) {
        close();
        throw refusal;
      } finally {
        lock.unlock();
      }
    }

    private void requireMemory(long total) {
      if (total > SMALL) {
        enter();
        if (!isLarge) {
          if (largePlaces >= Math.max(1, capacity / LARGE_FRACTION)) {
            refusedAsLarge.increment();
            engine.ifPresent(line -> line.countRefusal(EngineError.QUEUE_FULL));
            throw full(largePlaces + " requests of more than " + SMALL + " bytes are being read already; try again in 1 s.");
          }
          isLarge = true;
          largePlaces++;
        }
      }
      if (held + total - bytes > (isLarge ? largeMemory() : memory)) {
        refusedForMemory.increment();
        engine.ifPresent(line -> line.countRefusal(EngineError.QUEUE_FULL));
        throw full("The memory for requests that are not in line yet is used up (nibble.prepare.memory, " + memory + " bytes); try again in 1 s.");
      }
    }

    /**
     * All that is left is to send an answer of so many bytes that no engine had a part in. A small one frees place and memory now, since its reader may take long;
     * a large one keeps them until {@link #close}.
     *
     * @throws EngineException as {@link #hold}
     */
    public void answer(long size) {
      if (size <= SMALL) {
        close();
      } else {
        hold(Math.min(size, largeMemory())); // one that is larger than all of it is let through, when it is the only one
      }
    }

    private void requirePresent() {
      if (gone) {
        throw cancelled();
      }
    }

    /** For work on the request: it ends when the client leaves, and when the time for preparing is over. */
    public EncodingBudget budget(int maxTokens) {
      return new EncodingBudget(maxTokens, deadlineNanos, () -> gone);
    }

    /**
     * Has work done on a thread for such, and waits for it; the request must be inside.
     *
     * @param size bytes that the work has to read, at most: decides who waits for whom
     * @throws EngineException as the work does, or CANCELLED when the client leaves, or DEADLINE_EXCEEDED when the time is over
     */
    public <T> T prepare(long size, Callable<T> work) throws InterruptedException {
      ThreadPoolExecutor lane = size <= SMALL ? small : large;
      FutureTask<T> next = new FutureTask<>(work);
      lock.lock();
      try {
        requirePresent();
        task = next;
      } finally {
        lock.unlock();
      }
      lane.execute(next);
      try {
        return next.get(deadlineNanos - System.nanoTime(), TimeUnit.NANOSECONDS);
      } catch (TimeoutException late) {
        throw late();
      } catch (CancellationException left) {
        throw cancelled();
      } catch (ExecutionException failure) {
        switch (failure.getCause()) {
          case EncodingStoppedException stopped when stopped.reason() == EncodingStoppedException.Cause.CANCELLED -> throw cancelled();
          case EncodingStoppedException stopped when stopped.reason() == EncodingStoppedException.Cause.TIMED_OUT -> throw late();
          case RuntimeException wrong -> throw wrong;
          case Error defect -> throw defect;
          default -> throw new IllegalStateException(failure.getCause());
        }
      } finally {
        next.cancel(false);
        lane.remove(next);
        lock.lock();
        try {
          task = null;
        } finally {
          lock.unlock();
        }
      }
    }

    /** Like {@link #prepare}, for a request that its engine is to have: a refusal is counted as that engine's. */
    public <T> T prepareForEngine(long size, Callable<T> work) throws InterruptedException {
      try {
        return prepare(size, work);
      } catch (EngineException refusal) {
        if (refusal.error() != EngineError.MODEL_NOT_FOUND) {
          engine.ifPresent(line -> line.countRefusal(refusal.error()));
        }
        throw refusal;
      }
    }

    private EngineException late() {
      timedOut.increment();
      return new EngineException(EngineError.DEADLINE_EXCEEDED,
          "Reading the request and turning its prompt into tokens took more than " + timeout.toMillis() + " ms (nibble.prepare.timeout); send less text, or try again later.", Map.of());
    }

    /** Hands the request over to who counts it from now on; place and memory are free when this returns. @throws EngineException as {@code submit} does */
    public void handOver(Runnable submit) {
      lock.lock();
      try {
        requirePresent();
        // Within the lock, so that it is counted once at any time.
        submit.run();
      } finally {
        close();
        lock.unlock();
      }
    }

    /** Who sent the request waits for nothing any more: what is being done for it stops, place and memory are free. */
    public void leave() {
      gone = true;
      close();
    }

    /** Gives back place and memory, and gives up what is being done; idempotent. */
    @Override
    public void close() {
      FutureTask<?> given;
      lock.lock();
      try {
        given = task;
        held -= bytes;
        bytes = 0;
        if (inside) {
          inside = false;
          places--;
          if (isLarge) {
            isLarge = false;
            largePlaces--;
          }
          none.signalAll();
        }
      } finally {
        lock.unlock();
      }
      if (given != null) {
        given.cancel(false);
      }
    }
  }
}
