package dev.nibble.energy;

import dev.nibble.energy.EnergySources.Finding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * INA3221: measures volts and amperes of three rails; NVIDIA's Jetson modules have one or two. Since JetPack 5 it is a hardware monitor
 * ({@code class/hwmon/hwmonN}: {@code in1_label}, {@code in1_input} in mV, {@code curr1_input} in mA), before it was an industrial I/O device
 * ({@code bus/i2c/drivers/ina3221x/…/iio:deviceN}: {@code rail_name_0}, {@code in_power0_input} in mW). Where a rail is the module's input, it alone is counted:
 * the others hang on it. Elsewhere all rails are added up.
 */
final class Ina3221Source implements EnergySource.Power {
  private static final String CHIP = "ina3221";
  private static final Path MONITORS = Path.of("class", "hwmon");
  private static final Path OLD_DRIVER = Path.of("bus", "i2c", "drivers", "ina3221x");
  private static final int RAILS = 3;
  /** The input of the whole: Orin Nano, Orin NX, Xavier NX, TX2; Nano. */
  private static final Set<String> INPUTS = Set.of("VDD_IN", "POM_5V_IN");
  private static final String NOT_CONNECTED = "NC";
  /** The chip averages over some milliseconds, and a computation's power changes from layer to layer; each reading costs a few tens of microseconds. */
  private static final Duration INTERVAL = Duration.ofMillis(100);

  /** Where a rail's power is read: its product if the driver has one, else its factors. */
  private record Rail(String label, Optional<Path> milliwatts, Path millivolts, Path milliamperes) {
    double watts(Sysfs sysfs) throws IOException {
      double watts = milliwatts.isPresent() ? sysfs.number(milliwatts.get(), "milliwatts") / 1e3
          : sysfs.number(millivolts, "millivolts") / 1e3 * (sysfs.number(milliamperes, "milliamperes") / 1e3);
      return Math.max(0, watts); // a rail without a load reads a step or two below zero
    }
  }

  private final Sysfs sysfs;
  private final List<Rail> rails;

  private Ina3221Source(Sysfs sysfs, List<Rail> rails) {
    this.sysfs = sysfs;
    this.rails = List.copyOf(rails);
  }

  static Finding find(Sysfs sysfs) {
    try {
      List<Path> chips = new ArrayList<>();
      List<Rail> rails = new ArrayList<>();
      for (Path monitor : sysfs.list(sysfs.root().resolve(MONITORS))) {
        Path name = monitor.resolve("name");
        if (Files.exists(name) && sysfs.text(name).equals(CHIP)) {
          chips.add(monitor);
          for (int rail = 1; rail <= RAILS; rail++) { // beyond are shunts and their sum
            addMonitored(sysfs, monitor, rail, rails);
          }
        }
      }
      for (Path chip : sysfs.list(sysfs.root().resolve(OLD_DRIVER))) {
        for (Path device : sysfs.list(chip)) {
          if (device.getFileName().toString().startsWith("iio:device")) {
            chips.add(device);
            for (int rail = 0; rail < RAILS; rail++) {
              addIndustrial(sysfs, device, rail, rails);
            }
          }
        }
      }
      if (chips.isEmpty()) {
        return new Finding.Absent("no INA3221 in " + sysfs.root().resolve(MONITORS));
      }
      Ina3221Source source = new Ina3221Source(sysfs, counted(rails));
      if (source.rails.isEmpty()) {
        return new Finding.Unusable("the INA3221 at " + chips.getFirst() + " names no rail with volts and amperes");
      }
      source.watts();
      return new Finding.Found(source);
    } catch (IOException unreadable) {
      return new Finding.Unusable(unreadable.getMessage());
    }
  }

  private static void addMonitored(Sysfs sysfs, Path monitor, int number, List<Rail> rails) throws IOException {
    Path label = monitor.resolve("in" + number + "_label");
    Path enable = monitor.resolve("in" + number + "_enable");
    if (Files.exists(label) && (!Files.exists(enable) || !sysfs.text(enable).equals("0"))) {
      add(sysfs.text(label), Optional.empty(), monitor.resolve("in" + number + "_input"), monitor.resolve("curr" + number + "_input"), rails);
    }
  }

  private static void addIndustrial(Sysfs sysfs, Path device, int number, List<Rail> rails) throws IOException {
    Path label = device.resolve("rail_name_" + number);
    Path power = device.resolve("in_power" + number + "_input");
    if (Files.exists(label)) {
      add(sysfs.text(label), Files.exists(power) ? Optional.of(power) : Optional.empty(), device.resolve("in_voltage" + number + "_input"),
          device.resolve("in_current" + number + "_input"), rails);
    }
  }

  private static void add(String label, Optional<Path> power, Path volts, Path amperes, List<Rail> rails) {
    if (!label.isEmpty() && !label.equals(NOT_CONNECTED)) {
      rails.add(new Rail(label, power, volts, amperes));
    }
  }

  /** Nothing twice: the input, or where none is measured all others. */
  private static List<Rail> counted(List<Rail> rails) {
    List<Rail> inputs = rails.stream().filter(rail -> INPUTS.contains(rail.label)).toList();
    return inputs.isEmpty() ? rails : inputs.subList(0, 1);
  }

  @Override
  public String name() {
    return CHIP;
  }

  @Override
  public String measures() {
    return rails.stream().map(Rail::label).collect(Collectors.joining(", "));
  }

  @Override
  public Duration interval() {
    return INTERVAL;
  }

  @Override
  public double watts() throws IOException {
    double sum = 0;
    for (Rail rail : rails) {
      sum += rail.watts(sysfs);
    }
    return sum;
  }
}
