package dev.nibble.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The memory that Linux lets a process have, as each kind of container and unit tells it. */
final class MachineMemoryTest {
  private static final long MIB = 1 << 20;

  @TempDir
  Path root;

  @BeforeEach
  void machine() throws IOException {
    write("proc/meminfo", "MemTotal:        4096000 kB\nMemFree: 5 kB\n");
  }

  private void write(String path, String text) throws IOException {
    Path file = root.resolve(path);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  private MachineMemory here() {
    return MachineMemory.here(root, 7);
  }

  @Test
  void aBareMachineHasItsOwn() throws IOException {
    assertThat(here()).isEqualTo(new MachineMemory(4096000L << 10, false));
    write("proc/self/cgroup", "0::/user.slice\n");
    write("sys/fs/cgroup/user.slice/memory.max", "max\n");
    assertThat(here()).isEqualTo(new MachineMemory(4096000L << 10, false));
    Files.delete(root.resolve("proc/meminfo"));
    assertThat(here()).isEqualTo(new MachineMemory(7, false));
  }

  @Test
  void theLeastLimitOfTheGroupsAroundItCounts() throws IOException {
    write("proc/self/cgroup", "0::/system.slice/nibble.service\n");
    write("sys/fs/cgroup/system.slice/memory.max", "209715200\n");
    write("sys/fs/cgroup/system.slice/nibble.service/memory.max", "314572800\n");
    assertThat(here()).isEqualTo(new MachineMemory(200 * MIB, true));
    write("sys/fs/cgroup/system.slice/nibble.service/memory.max", "104857600\n");
    assertThat(here()).isEqualTo(new MachineMemory(100 * MIB, true));
  }

  @Test
  void aContainerSeesItsOwnGroupAsTheRoot() throws IOException {
    write("proc/self/cgroup", "0::/\n");
    write("sys/fs/cgroup/memory.max", "157286400\n");
    assertThat(here()).isEqualTo(new MachineMemory(150 * MIB, true));
  }

  @Test
  void versionOneIsRead() throws IOException {
    write("proc/self/cgroup", "9:cpu,cpuacct:/\n4:memory:/kubepods/pod1\n0::/\n");
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assertThat(here().limited()).isFalse();
    write("sys/fs/cgroup/memory/kubepods/pod1/memory.limit_in_bytes", "157286400\n");
    assertThat(here()).isEqualTo(new MachineMemory(150 * MIB, true));
    // The host's path, in a container where only the mount is there.
    write("proc/self/cgroup", "4:memory:/docker/3b0c\n");
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "104857600\n");
    assertThat(here()).isEqualTo(new MachineMemory(100 * MIB, true));
  }

  /** Whatever this machine says, it is not nothing. */
  @Test
  void thisMachineHasMemory() {
    assertThat(MachineMemory.here().bytes()).isGreaterThan(16 * MIB);
  }
}
