package dev.nibble.energy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Joules from readings, at times that the test sets. */
final class EnergyMeterTest {
  private static final String VOLTS = "class/hwmon/hwmon1/in1_input";
  private static final String AMPERES = "class/hwmon/hwmon1/curr1_input";
  private static final String PACKAGE = "class/powercap/intel-rapl:0/energy_uj";

  @TempDir
  Path folder;

  private final List<String> complaints = new ArrayList<>();
  private long now = -7_000_000_000L; // System.nanoTime may be anything

  private EnergySource source(String machine) throws IOException {
    return ((EnergySources.Detection.Found) EnergySources.detect(SysfsTree.unpack(machine, folder), "/nowhere/vcgencmd")).source();
  }

  private EnergyMeter meter(String machine) throws IOException {
    return new EnergyMeter(source(machine), () -> now, complaints::add);
  }

  private void power(int watts) throws IOException {
    SysfsTree.put(folder, VOLTS, "5000\n");
    SysfsTree.put(folder, AMPERES, watts * 200 + "\n");
  }

  private void pass(double seconds) {
    now += Math.round(seconds * 1e9);
  }

  @Test
  void powerIsAddedUp() throws IOException {
    SysfsTree.unpack("jetson-orin-nano", folder);
    EnergySource source = source("jetson-orin-nano");
    power(5);
    EnergyMeter meter = new EnergyMeter(source, () -> now, complaints::add);
    assertThat(meter.joules()).isZero();
    pass(2);
    assertThat(meter.joules()).as("5 W until now, as far as is known").isCloseTo(10, within(1e-9));
    power(20);
    meter.sample();
    pass(0.5);
    assertThat(meter.joules()).isCloseTo(20, within(1e-9));
    power(0);
    meter.sample();
    pass(100);
    meter.sample();
    assertThat(meter.joules()).isCloseTo(20, within(1e-9));
    assertThat(meter.problem()).isEmpty();
    assertThat(complaints).isEmpty();
  }

  @Test
  void aSensorThatFailsIsToldOnceAndAddsNothing() throws IOException {
    EnergySource source = source("jetson-orin-nano");
    power(10);
    EnergyMeter meter = new EnergyMeter(source, () -> now, complaints::add);
    pass(1);
    SysfsTree.put(folder, AMPERES, "none\n");
    meter.sample();
    pass(1000);
    meter.sample();
    assertThat(meter.joules()).isCloseTo(10, within(1e-9));
    String reason = folder.resolve(AMPERES) + " holds \"none\", which is no whole number of milliamperes";
    assertThat(complaints).containsExactly(reason);
    power(10);
    meter.sample();
    pass(1);
    assertThat(meter.joules()).isCloseTo(20, within(1e-9));
    assertThat(meter.problem()).as("energy is missing, whatever was read since").contains(reason);
    SysfsTree.put(folder, AMPERES, "none\n");
    meter.sample();
    assertThat(complaints).containsExactly(reason, reason);
  }

  @Test
  void countersAreReadWhenAsked() throws IOException {
    EnergyMeter meter = meter("amd-epyc");
    assertThat(meter.joules()).isZero();
    SysfsTree.put(folder, PACKAGE, "41235567890\n");
    pass(3);
    assertThat(meter.joules()).isEqualTo(1);
    SysfsTree.put(folder, PACKAGE, "?\n");
    assertThat(meter.joules()).as("what was counted stays").isEqualTo(1);
    SysfsTree.put(folder, PACKAGE, "41236567890\n");
    assertThat(meter.joules()).as("a counter went on meanwhile").isEqualTo(2);
    assertThat(complaints).hasSize(1);
  }

  @Test
  void aMetersBeginningIsNotItsSources() throws IOException {
    EnergySource source = source("amd-epyc");
    SysfsTree.put(folder, PACKAGE, "41239567890\n");
    EnergyMeter meter = new EnergyMeter(source, () -> now, complaints::add);
    SysfsTree.put(folder, PACKAGE, "41240567890\n");
    assertThat(meter.joules()).isEqualTo(1);
  }

  @Test
  void theThreadReadsAndStops() throws Exception {
    EnergySource source = source("jetson-orin-nano");
    power(0);
    try (EnergyMeter meter = EnergyMeter.start(source, complaints::add)) {
      power(5);
      for (int i = 0; i < 500 && meter.joules() == 0; i++) {
        Thread.sleep(20);
      }
      assertThat(meter.joules()).isPositive();
    }
    for (int i = 0; i < 500 && threads() > 0; i++) {
      Thread.sleep(20);
    }
    assertThat(threads()).isZero();
    Files.delete(folder.resolve(AMPERES));
  }

  private static long threads() {
    return Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().equals("nibble-energy")).count();
  }
}
