package dev.nibble.serve.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.tokenizer.EncodingBudget;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The door alone, without an engine behind it. */
@Timeout(60)
final class AdmissionDoorTest {
  private static final long MIB = 1 << 20;
  private static final Duration LONG = Duration.ofMinutes(5);

  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private final List<Admission> doors = new ArrayList<>();

  private Admission door(int capacity, Duration timeout) {
    Admission door = new Admission(capacity, timeout, 8 * MIB, registry);
    doors.add(door);
    return door;
  }

  @AfterEach
  void close() {
    doors.forEach(Admission::close);
  }

  private static EngineError error(org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
    return catchThrowableOfType(EngineException.class, call).error();
  }

  /** What long work does: asks now and then whether it is still wanted. */
  private static Void untilStopped(EncodingBudget budget) {
    while (true) {
      budget.checkpoint();
      Thread.onSpinWait();
    }
  }

  @Test
  void workRunsOnThreadsOfItsOwn() throws Exception {
    Admission door = door(4, LONG);
    for (long size : new long[] {10, MIB}) {
      try (Admission.Place place = door.enter(size)) {
        Thread thread = place.prepare(size, Thread::currentThread);
        assertThat(thread.isVirtual()).isFalse();
        assertThat(thread.getName()).startsWith(size == MIB ? "nibble-prepare-large-" : "nibble-prepare-");
      }
    }
  }

  @Test
  void smallWorkDoesNotWaitForLargeWork() throws Exception {
    Admission door = door(4, LONG);
    CountDownLatch free = new CountDownLatch(1);
    Admission.Place large = door.enter(MIB);
    CompletableFuture<String> held = CompletableFuture.supplyAsync(() -> {
      try {
        return large.prepare(MIB, () -> {
          free.await();
          return "large";
        });
      } catch (InterruptedException interrupt) {
        throw new IllegalStateException(interrupt);
      }
    });
    try (Admission.Place small = door.enter(10)) {
      assertThat(small.prepare(10, () -> "small")).isEqualTo("small");
    }
    assertThat(held).isNotDone();
    free.countDown();
    assertThat(held.get(30, TimeUnit.SECONDS)).isEqualTo("large");
  }

  @Test
  void timeIsBoundedAndTheThreadFreeAfterwards() throws Exception {
    Admission door = door(4, Duration.ofMillis(50));
    try (Admission.Place place = door.enter(MIB)) {
      EngineException late = catchThrowableOfType(EngineException.class, () -> place.prepare(MIB, () -> untilStopped(place.budget(1))));
      assertThat(late.error()).isEqualTo(EngineError.DEADLINE_EXCEEDED);
      assertThat(late).hasMessageContaining("nibble.prepare.timeout");
    }
    Admission patient = door(4, LONG);
    try (Admission.Place next = patient.enter(MIB)) {
      assertThat(next.prepare(MIB, () -> "done")).isEqualTo("done");
    }
    assertThat(registry.get("nibble.prepare.refused").tag("reason", "timeout").counter().count()).isEqualTo(1);
  }

  @Test
  void waitingForTheThreadCountsAndWhatTimedOutIsNotDone() throws Exception {
    Admission door = door(4, Duration.ofSeconds(3)); // within that the first one's work begins
    CountDownLatch begun = new CountDownLatch(1);
    CountDownLatch free = new CountDownLatch(1);
    AtomicBoolean done = new AtomicBoolean();
    Admission.Place first = door.enter(MIB);
    CompletableFuture<EngineError> stubborn = CompletableFuture.supplyAsync(() -> error(() -> first.prepare(MIB, () -> {
      begun.countDown();
      free.await();
      return null;
    })));
    begun.await();
    Admission.Place second = door.enter(MIB);
    assertThat(error(() -> second.prepare(MIB, () -> {
      done.set(true);
      return null;
    }))).isEqualTo(EngineError.DEADLINE_EXCEEDED);
    assertThat(stubborn.get(30, TimeUnit.SECONDS)).as("told though the work does not ask").isEqualTo(EngineError.DEADLINE_EXCEEDED);
    free.countDown();
    first.close();
    second.close();
    try (Admission.Place next = door.enter(MIB)) {
      assertThat(next.prepare(MIB, () -> "the thread is free")).isNotNull();
    }
    assertThat(done).isFalse();
  }

  @Test
  void leavingEndsTheWorkAndFreesEverythingAtOnce() throws Exception {
    Admission door = door(1, LONG);
    CountDownLatch begun = new CountDownLatch(1);
    Admission.Place place = door.enter(MIB);
    CompletableFuture<EngineError> work = CompletableFuture.supplyAsync(() -> error(() -> place.prepare(MIB, () -> {
      begun.countDown();
      return untilStopped(place.budget(1));
    })));
    begun.await();
    assertThat(registry.get("nibble.prepare.memory").gauge().value()).isEqualTo(MIB);
    place.leave();
    assertThat(door.preparing()).isZero();
    assertThat(registry.get("nibble.prepare.memory").gauge().value()).isZero();
    assertThat(work.get(30, TimeUnit.SECONDS)).isEqualTo(EngineError.CANCELLED);
    try (Admission.Place next = door.enter(MIB)) {
      assertThat(next.prepare(MIB, () -> "the thread is free")).isNotNull();
    }
    assertThat(error(() -> place.prepare(MIB, () -> null))).isEqualTo(EngineError.CANCELLED);
    assertThat(error(() -> place.handOver(() -> {
      throw new AssertionError("handed over");
    }))).isEqualTo(EngineError.CANCELLED);
    assertThat(door.preparing()).isZero();
  }

  @Test
  void numberAndMemoryAreBoundedAndLargeOnesLeaveMemoryToSmallOnes() {
    Admission door = door(4, LONG);
    Admission.Place first = door.enter(4 * MIB);
    assertThat(error(() -> door.enter(4 * MIB))).as("6 MiB are for large ones").isEqualTo(EngineError.QUEUE_FULL);
    assertThat(door.preparing()).as("refused ones keep nothing").isEqualTo(1);
    Admission.Place growing = door.enter(2 * MIB);
    assertThat(error(() -> growing.hold(2 * MIB + 1))).isEqualTo(EngineError.QUEUE_FULL);
    assertThat(door.preparing()).isEqualTo(1);
    door.enter(MIB);
    assertThat(error(() -> door.enter(MIB))).as("half of the places are for large ones").isEqualTo(EngineError.QUEUE_FULL);
    List<Admission.Place> small = List.of(door.enter(Admission.SMALL), door.enter(Admission.SMALL), door.enter(1));
    assertThat(error(() -> door.enter(1))).as("four wait, and one that an idle engine would take").isEqualTo(EngineError.QUEUE_FULL);
    small.getFirst().close();
    small.getFirst().close();
    assertThat(door.preparing()).isEqualTo(4);
    first.close();
    door.enter(4 * MIB).close();
  }

  @Test
  void stoppingLetsThoseInsideFinish() throws Exception {
    Admission door = door(4, LONG);
    Admission.Place place = door.enter(10);
    CompletableFuture<Boolean> drained = CompletableFuture.supplyAsync(() -> door.drain(Duration.ofSeconds(30)));
    while (catchThrowableOfType(EngineException.class, () -> door.enter(10).close()) == null) {
      Thread.onSpinWait();
    }
    assertThat(error(() -> door.enter(10))).isEqualTo(EngineError.SHUTTING_DOWN);
    assertThat(drained).isNotDone();
    AtomicBoolean submitted = new AtomicBoolean();
    place.handOver(() -> submitted.set(true));
    assertThat(drained.get(30, TimeUnit.SECONDS)).isTrue();
    assertThat(submitted).isTrue();
  }
}
