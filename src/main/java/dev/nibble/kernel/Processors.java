package dev.nibble.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.HashSet;
import java.util.Set;

/** The processors that this process may use. Two hardware threads of one core share its arithmetic units: kernels gain nothing from the second. */
public final class Processors {
  private static final Path SYSFS = Path.of("/sys/devices/system/cpu");
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final String ALLOWED = "Cpus_allowed_list:";
  private static final int MOST = 1 << 16; // processors: beyond it a list is not one

  private Processors() {}

  /** Physical cores that this process may use, and no more than its container's share of time; 1 or more. */
  public static int physicalCores() {
    return physicalCores(SYSFS, STATUS, Runtime.getRuntime().availableProcessors());
  }

  /**
   * Counts cores, as Linux tells them.
   *
   * @param sysfs folder with cpu0, cpu1, …
   * @param status the process's status file
   * @param available what the Java runtime may use, quotas included; also the answer where Linux does not tell
   */
  static int physicalCores(Path sysfs, Path status, int available) {
    try {
      Set<BitSet> cores = new HashSet<>();
      BitSet allowed = allowed(status);
      for (int cpu = allowed.nextSetBit(0); cpu >= 0; cpu = allowed.nextSetBit(cpu + 1)) {
        Path topology = sysfs.resolve("cpu" + cpu).resolve("topology");
        if (Files.isDirectory(topology)) { // else it is not running
          cores.add(core(cpu, topology));
        }
      }
      return cores.isEmpty() ? available : Math.min(cores.size(), available);
    } catch (IOException | IllegalArgumentException e) {
      return available; // another system, or one that hides its processors
    }
  }

  /**
   * The hardware threads of a processor's core. The kernel's own list, since core_id alone does not name a core: it starts anew in every
   * package and, on ARM, in every cluster.
   */
  private static BitSet core(int cpu, Path topology) throws IOException {
    for (String name : new String[] {"core_cpus_list", "thread_siblings_list"}) { // the second is the first's name before Linux 5.3
      Path list = topology.resolve(name);
      if (Files.exists(list)) {
        return list(Files.readString(list));
      }
    }
    BitSet alone = new BitSet();
    alone.set(cpu);
    return alone;
  }

  private static BitSet allowed(Path status) throws IOException {
    for (String line : Files.readAllLines(status)) {
      if (line.startsWith(ALLOWED)) {
        return list(line.substring(ALLOWED.length()));
      }
    }
    throw new IOException(status + " has no " + ALLOWED);
  }

  /** Numbers in the kernel's list format: 0-3,8. */
  private static BitSet list(String text) {
    BitSet numbers = new BitSet();
    for (String part : text.strip().split(",")) {
      int dash = part.indexOf('-');
      int first = Integer.parseInt(dash < 0 ? part : part.substring(0, dash));
      int last = Integer.parseInt(dash < 0 ? part : part.substring(dash + 1));
      if (first < 0 || last < first || last >= MOST) {
        throw new IllegalArgumentException("not a list of processors: " + text);
      }
      numbers.set(first, last + 1);
    }
    return numbers;
  }
}
