package dev.nibble.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * The memory that this process may use: its cgroup's limit (of a container, a pod, a unit), or the machine's.
 *
 * @param bytes the least of the limits that hold for it
 * @param limited whether a cgroup sets them; otherwise the machine is shared with all that runs on it
 */
public record MachineMemory(long bytes, boolean limited) {
  private static final String V1 = "sys/fs/cgroup/memory";
  private static final String V2 = "sys/fs/cgroup";

  /** What Linux tells of this process; the Java runtime's own idea of a machine where it tells nothing. */
  public static MachineMemory here() {
    return here(Path.of("/"), Runtime.getRuntime().maxMemory());
  }

  /**
   * Looks below a root.
   *
   * @param otherwise bytes of a machine that does not tell
   */
  static MachineMemory here(Path root, long otherwise) {
    long machine = total(root).orElse(otherwise);
    long limit = Long.MAX_VALUE;
    try {
      for (String line : Files.readAllLines(root.resolve("proc/self/cgroup"))) {
        // NUMBER:CONTROLLERS:PATH; of version 2, 0::PATH
        String[] fields = line.split(":", 3);
        if (fields.length == 3 && fields[1].isEmpty()) {
          limit = Math.min(limit, least(root.resolve(V2), fields[2], "memory.max"));
        } else if (fields.length == 3 && ("," + fields[1] + ",").contains(",memory,")) {
          limit = Math.min(limit, least(root.resolve(V1), fields[2], "memory.limit_in_bytes"));
        }
      }
    } catch (IOException none) {
      // another system, or one that hides its cgroups
    }
    return limit < machine ? new MachineMemory(limit, true) : new MachineMemory(machine, false);
  }

  /** The least limit of a cgroup and those that it is in. In a container the path may be the host's, and only the mount itself is there. */
  private static long least(Path mount, String path, String file) {
    long least = limit(mount.resolve(file));
    Path group = mount;
    for (Path part : Path.of(path.replaceFirst("^/+", ""))) {
      group = group.resolve(part);
      least = Math.min(least, limit(group.resolve(file)));
    }
    return least;
  }

  private static long limit(Path file) {
    try {
      return Long.parseLong(Files.readString(file).strip());
    } catch (IOException | NumberFormatException none) {
      return Long.MAX_VALUE; // not there, or "max"
    }
  }

  private static OptionalLong total(Path root) {
    try {
      for (String line : Files.readAllLines(root.resolve("proc/meminfo"))) {
        if (line.startsWith("MemTotal:")) {
          return OptionalLong.of(Long.parseLong(line.replaceAll("\\D", "")) << 10);
        }
      }
    } catch (IOException | NumberFormatException none) {
      // another system
    }
    return OptionalLong.empty();
  }
}
