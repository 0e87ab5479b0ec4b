package dev.nibble.energy;

import dev.nibble.energy.EnergySources.Finding;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Running Average Power Limit: energy counters of Intel's and AMD's processors, in the kernel's
 * <a href="https://docs.kernel.org/power/powercap/powercap.html">power capping framework</a>. Zone {@code intel-rapl:N} is a socket ("package-0") or the whole
 * platform ("psys"), {@code intel-rapl:N:M} a part of it. Counted are packages, and memory ("dram"), which is not in a package; "core" and "uncore" are. The
 * platform holds the packages, and is counted only where there are none. Zones {@code intel-rapl-mmio:N} are the same packages once more.
 */
final class RaplSource implements EnergySource.Counter {
  private static final Path FOLDER = Path.of("class", "powercap");
  private static final Pattern TOP = Pattern.compile("intel-rapl:\\d+");
  private static final double MICROJOULES_PER_JOULE = 1e6;
  /** More than any one zone uses, so that between two readings no counter begins anew twice. */
  private static final long MOST_MICROWATTS = 1_000_000_000;
  private static final Duration LONGEST_INTERVAL = Duration.ofMinutes(1);

  /** One counter. */
  private static final class Zone {
    private final String name;
    private final Path energy;
    private final long range; // microjoules at which it begins anew
    private long last;
    private long microjoules; // since it was opened

    Zone(Sysfs sysfs, String name, Path folder) throws IOException {
      this.name = name;
      energy = folder.resolve("energy_uj");
      Path most = folder.resolve("max_energy_range_uj");
      range = sysfs.number(most, "microjoules");
      if (range <= 0) {
        throw new IOException(most + " holds " + range + "; allowed: 1 or more");
      }
      last = value(sysfs);
    }

    private long value(Sysfs sysfs) throws IOException {
      long value = sysfs.number(energy, "microjoules");
      if (value < 0 || value > range) {
        throw new IOException(energy + " holds " + value + "; allowed: 0 to " + range);
      }
      return value;
    }

    void read(Sysfs sysfs) throws IOException {
      long value = value(sysfs);
      microjoules += value >= last ? value - last : value + range - last;
      last = value;
    }
  }

  private final Sysfs sysfs;
  private final List<Zone> zones;

  private RaplSource(Sysfs sysfs, List<Zone> zones) {
    this.sysfs = sysfs;
    this.zones = List.copyOf(zones);
  }

  static Finding find(Sysfs sysfs) {
    Path folder = sysfs.root().resolve(FOLDER);
    List<Path> tops = sysfs.list(folder).stream().filter(entry -> TOP.matcher(entry.getFileName().toString()).matches()).toList();
    if (tops.isEmpty()) {
      return new Finding.Absent("no RAPL zone in " + folder);
    }
    try {
      List<Zone> packages = new ArrayList<>();
      List<Zone> platforms = new ArrayList<>();
      List<String> others = new ArrayList<>();
      for (Path top : tops) {
        String name = sysfs.text(top.resolve("name"));
        if (name.startsWith("package-")) {
          packages.add(new Zone(sysfs, name, top));
          for (Path part : parts(sysfs, folder, top)) {
            if (sysfs.text(part.resolve("name")).equals("dram")) {
              packages.add(new Zone(sysfs, "dram of " + name, part));
            }
          }
        } else if (name.equals("psys")) {
          platforms.add(new Zone(sysfs, name, top));
        } else {
          others.add(Sysfs.shortened(name));
        }
      }
      List<Zone> zones = packages.isEmpty() ? platforms : packages;
      return zones.isEmpty()
          ? new Finding.Unusable(folder + " has no RAPL zone of a package, only of " + String.join(", ", others))
          : new Finding.Found(new RaplSource(sysfs, zones));
    } catch (IOException unreadable) {
      return new Finding.Unusable(unreadable.getMessage() + (unreadable.getCause() instanceof AccessDeniedException
          ? "; it is root's until somebody allows others, see docs/energy.md" : ""));
    }
  }

  private static List<Path> parts(Sysfs sysfs, Path folder, Path top) {
    Pattern part = Pattern.compile(Pattern.quote(top.getFileName().toString()) + ":\\d+");
    return sysfs.list(folder).stream().filter(entry -> part.matcher(entry.getFileName().toString()).matches()).toList();
  }

  @Override
  public String name() {
    return "rapl";
  }

  @Override
  public String measures() {
    return zones.stream().map(zone -> zone.name).collect(Collectors.joining(", "));
  }

  /** Half of the time in which the smallest counter can go round. */
  @Override
  public Duration interval() {
    Duration round = Duration.ofSeconds(zones.stream().mapToLong(zone -> zone.range).min().orElseThrow() / MOST_MICROWATTS);
    Duration half = round.dividedBy(2).plusSeconds(1);
    return half.compareTo(LONGEST_INTERVAL) < 0 ? half : LONGEST_INTERVAL;
  }

  @Override
  public synchronized double joules() throws IOException {
    long sum = 0;
    for (Zone zone : zones) {
      zone.read(sysfs);
      sum += zone.microjoules;
    }
    return sum / MICROJOULES_PER_JOULE;
  }
}
