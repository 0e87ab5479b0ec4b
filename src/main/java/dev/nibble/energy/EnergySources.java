package dev.nibble.energy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** Looks for a sensor: RAPL (Intel, AMD), INA3221 (Jetson), PMIC (Raspberry Pi 5). */
public final class EnergySources {
  /** Where Linux tells of its devices. */
  public static final Path SYSFS = Path.of("/sys");

  private EnergySources() {}

  /** What was found. */
  public sealed interface Detection {
    /** A sensor that was read once. */
    record Found(EnergySource source) implements Detection {}

    /** None that can be read. @param reason a sentence without its full stop: what is missing, or what must be allowed */
    record None(String reason) implements Detection {}
  }

  /** What one kind of sensor has to say. */
  sealed interface Finding {
    record Found(EnergySource source) implements Finding {}

    /** There is no such sensor. */
    record Absent(String reason) implements Finding {}

    /** There is one, and it can't be read. */
    record Unusable(String reason) implements Finding {}
  }

  /** This machine's. May take two seconds, where a Raspberry Pi's firmware does not answer. */
  public static Detection detect() {
    return detect(SYSFS, PmicSource.PROGRAM);
  }

  /**
   * A machine's.
   *
   * @param sysfs the folder that /sys is
   * @param vcgencmd the Raspberry Pi's program for asking its firmware
   */
  public static Detection detect(Path sysfs, String vcgencmd) {
    return detect(new Sysfs(sysfs), vcgencmd);
  }

  /** A sensor that is there and can't be read ends the search with its reason: another one would measure something else, unasked. */
  static Detection detect(Sysfs sysfs, String vcgencmd) {
    List<Supplier<Finding>> kinds = List.of(() -> RaplSource.find(sysfs), () -> Ina3221Source.find(sysfs), () -> PmicSource.find(vcgencmd));
    List<String> absent = new ArrayList<>();
    for (Supplier<Finding> kind : kinds) {
      switch (kind.get()) {
        case Finding.Found found -> {
          return new Detection.Found(found.source());
        }
        case Finding.Unusable unusable -> {
          return new Detection.None(unusable.reason());
        }
        case Finding.Absent missing -> absent.add(missing.reason());
      }
    }
    return new Detection.None("this machine has " + String.join(", ", absent));
  }
}
