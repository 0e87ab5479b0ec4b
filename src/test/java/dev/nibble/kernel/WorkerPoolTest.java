package dev.nibble.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class WorkerPoolTest {
  /** Marks items with the number of the run that it belongs to; a range that ran with another's count or twice would leave another mark. */
  private static final class Marking implements WorkerPool.Range {
    private final AtomicIntegerArray marks = new AtomicIntegerArray(4096);
    private final AtomicInteger faults = new AtomicInteger();
    private volatile int run;
    private volatile int count;

    @Override
    public void compute(int worker, int from, int to) {
      int now = run;
      if (from < 0 || to > count || from >= to) {
        faults.incrementAndGet();
        return;
      }
      for (int i = from; i < to; i++) {
        if (marks.getAndSet(i, now) != now - 1) {
          faults.incrementAndGet();
        }
      }
    }
  }

  /** More threads than processors, so that workers are held up anywhere; two ranges in turn, so that one is stale whenever a worker is late. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
  void everyItemIsComputedOnceInManyQuickRuns(int threads) {
    Random random = new Random(threads);
    Marking[] ranges = {new Marking(), new Marking()};
    try (WorkerPool pool = new WorkerPool(threads)) {
      for (int run = 0; run < 30_000; run++) {
        Marking range = ranges[run % 2];
        int count = run % 1000 < 2 ? range.marks.length() : 1 + random.nextInt(range.count == 0 ? 1 : 40);
        int before = range.run;
        for (int i = 0; i < count; i++) {
          range.marks.setPlain(i, before);
        }
        range.count = count;
        range.run = before + 1;
        pool.run(count, 1 + random.nextInt(3), range);
        for (int i = 0; i < count; i++) {
          if (range.marks.getPlain(i) != range.run) {
            throw new AssertionError("run " + run + ": item " + i + " of " + count + " was not computed");
          }
        }
        if (run % 5000 == 0) {
          LockSupport.parkNanos(2_000_000); // longer than workers spin
        }
      }
    }
    assertThat(ranges[0].faults.get() + ranges[1].faults.get()).isZero();
  }

  /** As engines of several models do it. */
  @Test
  void callersOfSeveralThreadsTakeTurns() throws Exception {
    try (WorkerPool pool = new WorkerPool(3)) {
      AtomicIntegerArray active = new AtomicIntegerArray(4); // pieces under way, by caller
      List<CompletableFuture<Void>> callers = IntStream.range(0, active.length()).mapToObj(caller -> CompletableFuture.runAsync(() -> {
        int[] marks = new int[100];
        for (int run = 1; run <= 2000; run++) {
          int value = run;
          pool.run(marks.length, 1, (worker, from, to) -> {
            active.incrementAndGet(caller);
            Arrays.fill(marks, from, to, value);
            for (int other = 0; other < active.length(); other++) {
              if (other != caller && active.get(other) != 0) {
                throw new AssertionError("ranges of callers " + caller + " and " + other + " are under way together");
              }
            }
            active.decrementAndGet(caller);
          });
          for (int mark : marks) {
            if (mark != value) {
              throw new AssertionError("run " + run + " of caller " + caller + " left an item out");
            }
          }
        }
      }, task -> Thread.ofPlatform().start(task))).toList();
      for (CompletableFuture<Void> caller : callers) {
        caller.get(1, TimeUnit.MINUTES);
      }
    }
  }

  @Test
  void waitsForWhatAWorkerHasTakenHoweverLongItTakes() {
    try (WorkerPool pool = new WorkerPool(2)) {
      for (int round = 0; round < 5; round++) {
        AtomicInteger done = new AtomicInteger();
        CountDownLatch both = new CountDownLatch(2); // each of two items is taken by another thread
        pool.run(2, 1, (worker, from, to) -> {
          both.countDown();
          await(both);
          if (worker == 1) {
            sleep(20); // the caller parks meanwhile
          }
          done.addAndGet(to - from);
        });
        assertThat(done.get()).isEqualTo(2);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void throwsWhatAWorkerOrTheCallerThrewAndGoesOn(int failing) {
    try (WorkerPool pool = new WorkerPool(2)) {
      for (int round = 0; round < 200; round++) {
        CountDownLatch both = new CountDownLatch(2);
        AtomicInteger started = new AtomicInteger();
        assertThatThrownBy(() -> pool.run(1000, 1, (worker, from, to) -> {
          started.addAndGet(to - from);
          both.countDown();
          await(both);
          if (worker == failing) {
            throw new IllegalStateException("worker " + worker);
          }
        })).isInstanceOf(IllegalStateException.class).hasMessage("worker " + failing);
        assertThat(started.get()).isLessThanOrEqualTo(1000);
        AtomicInteger done = new AtomicInteger();
        pool.run(100, 1, (worker, from, to) -> done.addAndGet(to - from));
        assertThat(done.get()).isEqualTo(100);
      }
    }
  }

  @Test
  void throwsErrorsAsTheyAre() {
    try (WorkerPool pool = new WorkerPool(2)) {
      assertThatThrownBy(() -> pool.run(10, 1, (worker, from, to) -> {
        throw new StackOverflowError("deep");
      })).isInstanceOf(StackOverflowError.class).hasMessage("deep");
    }
  }

  @Test
  void closingEndsTheThreadsWhetherTheySpinOrPark() throws Exception {
    for (int pause : new int[] {0, 5}) {
      WorkerPool pool = new WorkerPool(4);
      Thread[] seen = new Thread[4];
      CountDownLatch all = new CountDownLatch(4);
      pool.run(4, 1, (worker, from, to) -> {
        seen[worker] = Thread.currentThread();
        all.countDown();
        await(all);
      });
      sleep(pause);
      pool.close();
      for (Thread thread : seen) {
        if (thread != Thread.currentThread()) {
          assertThat(thread.join(Duration.ofSeconds(10))).isTrue();
        }
      }
      AtomicInteger done = new AtomicInteger();
      pool.run(100, 1, (worker, from, to) -> done.addAndGet(to - from));
      assertThat(done.get()).as("a closed pool's caller computes alone").isEqualTo(100);
    }
  }

  @Test
  void needsAThread() {
    assertThatThrownBy(() -> new WorkerPool(0)).hasMessage("threads is 0; allowed: 1 or more");
    assertThatCode(() -> new WorkerPool(1).run(0, 1, (worker, from, to) -> {
      throw new AssertionError("nothing to do");
    })).doesNotThrowAnyException();
  }

  private static void await(CountDownLatch latch) {
    try {
      if (!latch.await(30, TimeUnit.SECONDS)) {
        throw new AssertionError("the other thread took nothing");
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static void sleep(int milliseconds) {
    try {
      Thread.sleep(milliseconds);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
