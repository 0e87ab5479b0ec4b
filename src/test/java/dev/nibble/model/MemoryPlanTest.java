package dev.nibble.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.format.gguf.GgufFile;
import dev.nibble.kernel.MachineMemory;
import dev.nibble.model.kvcache.KvCacheOptions;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The shares of memory: together never more than there is, or it is said. */
final class MemoryPlanTest {
  private static final long MIB = 1 << 20;

  private static long sum(MemoryPlan plan) {
    return plan.program() + plan.weights() + plan.buffers() + plan.heap();
  }

  @Test
  void heapAndAllElseFitTogether() {
    for (long limit = 128; limit <= 1 << 20; limit += limit / 3) {
      for (long weights : List.of(0L, 2L, limit / 4, limit / 2, limit * 3 / 4, limit, 2 * limit)) {
        MemoryPlan plan = MemoryPlan.of(new MachineMemory(limit * MIB, true), weights * MIB, true);
        assertThat(plan.limit()).isEqualTo(limit * MIB);
        assertThat(plan.overfilledBy(plan.heap())).isFalse();
        if (sum(plan) <= plan.limit()) {
          assertThat(plan.complaint()).isEmpty();
          assertThat(plan.limit() - sum(plan)).as("what is left over of %s", plan).isLessThan(MIB);
        } else {
          String beginning = "The model does not fit into this container's limit: " + limit + " MB (the cgroup's limit)";
          assertThat(plan.complaint()).hasValueSatisfying(line -> assertThat(line).startsWith(beginning).doesNotContain("\n"));
          assertThat(plan.heap()).as("the least").isEqualTo(32 * MIB);
        }
      }
    }
  }

  @Test
  void aBareMachineIsShared() {
    MemoryPlan plan = MemoryPlan.of(new MachineMemory(4096 * MIB, false), 700 * MIB, true);
    assertThat(plan.limit()).isEqualTo(4096 * MIB);
    assertThat(sum(plan)).as("three quarters").isLessThanOrEqualTo(3072 * MIB);
    assertThat(plan.heap()).isGreaterThan(1500 * MIB);
    assertThat(MemoryPlan.of(new MachineMemory(4096 * MIB, false), 4200 * MIB, true).complaint()).hasValueSatisfying(line -> assertThat(line)
        .startsWith("The model does not fit into this machine's memory: 4096 MB (this machine's)"));
  }

  /** When a runtime has to be told to take less than it would by itself. */
  @Test
  void aHeapThatLeavesNoRoomIsSeen() {
    MemoryPlan contained = MemoryPlan.of(new MachineMemory(160 * MIB, true), 2 * MIB, true);
    assertThat(contained.overfilledBy(128 * MIB)).isTrue();
    assertThat(contained.overfilledBy(contained.heap())).isFalse();
    MemoryPlan large = MemoryPlan.of(new MachineMemory(24000 * MIB, false), 2 * MIB, true);
    assertThat(large.overfilledBy(19200 * MIB)).as("80 %% of a machine beside a small model").isFalse();
    MemoryPlan full = MemoryPlan.of(new MachineMemory(4096 * MIB, false), 800 * MIB, true);
    assertThat(full.overfilledBy(3276 * MIB)).as("80 %% of a machine beside a large one").isTrue();
    assertThat(full.heap()).isLessThan(2300 * MIB);
  }

  /** What a JVM was started with is what is told. */
  @Test
  void theRunningHeapIsTold() {
    MemoryPlan plan = MemoryPlan.here(5 * MIB);
    assertThat(plan.heap()).isEqualTo(Runtime.getRuntime().maxMemory());
    assertThat(plan.toString()).contains("weights 5, ", "heap " + (Runtime.getRuntime().maxMemory() + MIB - 1) / MIB);
  }

  /** What Kubernetes is asked for is what the executable then shares out, and the default share of keys and values holds the sequences asked for. */
  @Test
  void whatIsAskedForIsEnough() throws Exception {
    try (GgufFile file = GgufFile.open(Path.of("src/main/resources/models/nibble-home.gguf"))) {
      MemoryNeed need = MemoryNeed.of(file, KvCacheOptions.DEFAULT);
      for (int streams : new int[] {1, 8, 64, 1024}) {
        MemoryPlan asked = MemoryPlan.needed(need, MIB, streams);
        MemoryPlan taken = MemoryPlan.of(new MachineMemory(asked.limit(), true), need.weights(), true);
        assertThat(taken.complaint()).isEmpty();
        assertThat(taken.heap()).isGreaterThanOrEqualTo(asked.heap() - MIB);
        assertThat(taken.heap() / 2).isGreaterThanOrEqualTo(streams * need.sequence() - MIB);
        assertThat(taken.heap()).isGreaterThanOrEqualTo(MemoryPlan.live(need, MIB, streams));
      }
    }
  }
}
