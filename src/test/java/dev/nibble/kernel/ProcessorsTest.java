package dev.nibble.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Trees as Linux shows them on several machines. */
final class ProcessorsTest {
  private static final int MANY = 1000;

  @TempDir
  private Path folder;
  private Path sysfs;
  private Path status;

  @BeforeEach
  void makeFolders() throws IOException {
    sysfs = Files.createDirectory(folder.resolve("cpu"));
    status = folder.resolve("status");
    Files.createDirectory(sysfs.resolve("cpufreq")); // not a processor
  }

  private void allow(String list) throws IOException {
    Files.writeString(status, "Name:\tjava\nCpus_allowed:\tff\nCpus_allowed_list:\t" + list + "\nMems_allowed_list:\t0\n");
  }

  private void processor(int number, int core, int socket, String siblingsFile, String siblings) throws IOException {
    Path topology = Files.createDirectories(sysfs.resolve("cpu" + number).resolve("topology"));
    Files.writeString(topology.resolve("core_id"), core + "\n");
    Files.writeString(topology.resolve("physical_package_id"), socket + "\n");
    Files.writeString(topology.resolve(siblingsFile), siblings + "\n");
  }

  private int cores() {
    return Processors.physicalCores(sysfs, status, MANY);
  }

  @Test
  void virtualMachineWithoutHyperThreads() throws IOException {
    allow("0-1");
    processor(0, 0, 0, "core_cpus_list", "0");
    processor(1, 1, 0, "core_cpus_list", "1");
    assertThat(cores()).isEqualTo(2);
  }

  @Test
  void hyperThreadsCountOnce() throws IOException {
    allow("0-7");
    for (int i = 0; i < 8; i++) { // 4 cores, the second threads numbered after all the first
      processor(i, i % 4, 0, "core_cpus_list", i % 4 + "," + (i % 4 + 4));
    }
    assertThat(cores()).isEqualTo(4);
    allow("0,4");
    assertThat(cores()).as("both threads of one core").isEqualTo(1);
    allow("4-6");
    assertThat(cores()).isEqualTo(3);
  }

  @Test
  void twoSocketsUseTheSameCoreNumbersAndAnOlderKernelTheOtherName() throws IOException {
    allow("0-7");
    for (int i = 0; i < 8; i++) {
      processor(i, i / 2 % 2, i / 4, "thread_siblings_list", i / 2 * 2 + "-" + (i / 2 * 2 + 1));
    }
    assertThat(cores()).isEqualTo(4);
  }

  @Test
  void clustersOfArmUseTheSameCoreNumbersInOnePackage() throws IOException {
    allow("0-5");
    for (int i = 0; i < 6; i++) { // big.LITTLE: four cores of one cluster, two of another
      processor(i, i < 4 ? i : i - 4, 0, "core_cpus_list", String.valueOf(i));
    }
    assertThat(cores()).isEqualTo(6);
  }

  @Test
  void hybridCoresWithAndWithoutHyperThreads() throws IOException {
    allow("0-7");
    for (int i = 0; i < 4; i++) {
      processor(i, i / 2 * 4, 0, "core_cpus_list", i / 2 * 2 + "-" + (i / 2 * 2 + 1));
    }
    for (int i = 4; i < 8; i++) {
      processor(i, 8 + i, 0, "core_cpus_list", String.valueOf(i));
    }
    assertThat(cores()).isEqualTo(6);
  }

  @Test
  void processorsThatAreOffDoNotCount() throws IOException {
    allow("0-3");
    processor(0, 0, 0, "core_cpus_list", "0");
    processor(2, 2, 0, "core_cpus_list", "2");
    Files.createDirectory(sysfs.resolve("cpu1")); // no topology while it is off
    assertThat(cores()).isEqualTo(2);
  }

  @Test
  void neverMoreThanTheRuntimeMayUse() throws IOException {
    allow("0-3");
    for (int i = 0; i < 4; i++) {
      processor(i, i, 0, "core_cpus_list", String.valueOf(i));
    }
    assertThat(Processors.physicalCores(sysfs, status, 2)).as("a container's quota").isEqualTo(2);
  }

  @Test
  void whatTheRuntimeMayUseWhereLinuxDoesNotTell() throws IOException {
    assertThat(cores()).as("no status").isEqualTo(MANY);
    Files.writeString(status, "Name:\tjava\n");
    assertThat(cores()).as("no list").isEqualTo(MANY);
    for (String list : new String[] {"", "x", "3-1", "-1", "0-99999999"}) {
      allow(list);
      assertThat(cores()).as("list \"%s\"", list).isEqualTo(MANY);
    }
    allow("0-1");
    assertThat(cores()).as("no processors").isEqualTo(MANY);
  }

  @Test
  void thisMachineHasSome() {
    assertThat(Processors.physicalCores()).isBetween(1, Runtime.getRuntime().availableProcessors());
  }
}
