package dev.nibble.energy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each kind of sensor on device files in the kernel's form: what is counted, once, and why where nothing is. */
final class EnergySourcesTest {
  private static final String NO_PROGRAM = "/nowhere/vcgencmd";
  private static final String RAPL = "class/powercap/";
  private static final String MONITOR = "class/hwmon/hwmon1/";

  @TempDir
  Path folder;

  private EnergySource source(String machine) throws IOException {
    return found(EnergySources.detect(SysfsTree.unpack(machine, folder), NO_PROGRAM));
  }

  private static EnergySource found(EnergySources.Detection detection) {
    return switch (detection) {
      case EnergySources.Detection.Found found -> found.source();
      case EnergySources.Detection.None none -> throw new AssertionError(none.reason());
    };
  }

  private static String none(EnergySources.Detection detection) {
    return switch (detection) {
      case EnergySources.Detection.Found found -> throw new AssertionError(found.source().measures());
      case EnergySources.Detection.None none -> none.reason();
    };
  }

  /** Why nothing is measured on a machine whose file holds something else. */
  private String reason(String machine, String file, String content) throws IOException {
    SysfsTree.unpack(machine, folder);
    SysfsTree.put(folder, file, content);
    return none(EnergySources.detect(folder, NO_PROGRAM));
  }

  private double watts(String machine) throws IOException {
    return ((EnergySource.Power) source(machine)).watts();
  }

  private void energy(String zone, long microjoules) throws IOException {
    SysfsTree.put(folder, RAPL + zone + "/energy_uj", microjoules + "\n");
  }

  @Test
  void packagesAndTheirMemoryAreCountedAndGoRound() throws IOException {
    EnergySource.Counter rapl = (EnergySource.Counter) source("xeon-two-sockets");
    assertThat(rapl.name()).isEqualTo("rapl");
    assertThat(rapl.measures()).isEqualTo("package-0, dram of package-0, package-1, dram of package-1");
    assertThat(rapl.joules()).isZero();
    energy("intel-rapl:0", 151_863_405_327L + 2_500_000);
    assertThat(rapl.joules()).isEqualTo(2.5);
    energy("intel-rapl:0:0", 48_021_765_321L + 500_000);
    assertThat(rapl.joules()).isEqualTo(3);
    energy("intel-rapl:1", 1_000_000); // 328850 before its end, then 1000000
    assertThat(rapl.joules()).isEqualTo(4.32885);
    energy("intel-rapl:1:0", 0); // 99613 before its end
    assertThat(rapl.joules()).isEqualTo(4.428463);
    energy("intel-rapl:1", 999_999); // once round again
    assertThat(rapl.joules()).isCloseTo(4.428463 + 262_143.328849, within(1e-6));
  }

  /** At a thousand watts a counter of 65.5 kJ goes round in 65 s. */
  @Test
  void countersAreReadBeforeTheyGoRoundTwice() throws IOException {
    assertThat(source("amd-epyc").interval()).isEqualTo(Duration.ofMillis(33_500));
    assertThat(source("xeon-two-sockets").interval()).as("memory's counters are small").isEqualTo(Duration.ofMillis(33_500));
  }

  @Test
  void largeCountersAreReadOnceAMinute() throws IOException {
    assertThat(source("intel-laptop").interval()).isEqualTo(Duration.ofMinutes(1));
  }

  @Test
  void partsOfThePackageThePlatformAndSecondViewsAreNotCounted() throws IOException {
    EnergySource.Counter rapl = (EnergySource.Counter) source("intel-laptop");
    assertThat(rapl.measures()).isEqualTo("package-0");
    energy("intel-rapl:0:0", 6_000_000_000L);
    energy("intel-rapl:0:1", 6_000_000_000L);
    energy("intel-rapl:1", 23_000_000_000L);
    energy("intel-rapl-mmio:0", 9_999_000_000L);
    assertThat(rapl.joules()).isZero();
    energy("intel-rapl:0", 9_876_543_210L + 1_000_000);
    assertThat(rapl.joules()).isEqualTo(1);
  }

  @Test
  void amdCountsItsPackage() throws IOException {
    EnergySource.Counter rapl = (EnergySource.Counter) source("amd-epyc");
    assertThat(rapl.measures()).isEqualTo("package-0");
    energy("intel-rapl:0", 41_234_567_890L + 7_000_000);
    energy("intel-rapl:0:0", 41_234_567_890L);
    assertThat(rapl.joules()).isEqualTo(7);
  }

  @Test
  void thePlatformIsCountedWhereThereIsNoPackage() throws IOException {
    SysfsTree.put(folder, RAPL + "intel-rapl:0/name", "psys\n");
    SysfsTree.put(folder, RAPL + "intel-rapl:0/energy_uj", "5\n");
    SysfsTree.put(folder, RAPL + "intel-rapl:0/max_energy_range_uj", "262143328850\n");
    assertThat(found(EnergySources.detect(folder, NO_PROGRAM)).measures()).isEqualTo("psys");
    SysfsTree.put(folder, RAPL + "intel-rapl:0/name", "mystery\n");
    assertThat(none(EnergySources.detect(folder, NO_PROGRAM))).isEqualTo(folder.resolve("class/powercap") + " has no RAPL zone of a package, only of mystery");
  }

  /** As everywhere since the side channel of 2020 (CVE-2020-8694), for users other than root; this test may be root's. */
  @Test
  void countersOfRootOnlySayWhatToDo() throws IOException {
    SysfsTree.unpack("xeon-two-sockets", folder);
    Sysfs closed = new Sysfs(folder, file -> {
      if (file.endsWith("energy_uj")) {
        throw new AccessDeniedException(file.toString());
      }
      return Files.readString(file);
    });
    assertThat(none(EnergySources.detect(closed, NO_PROGRAM))).isEqualTo(folder.resolve("class/powercap/intel-rapl:0/energy_uj")
        + " can't be read: permission denied; it is root's until somebody allows others, see docs/energy.md");
  }

  @Test
  void nonsenseInCountersIsNamed() throws IOException {
    String file = RAPL + "intel-rapl:0/energy_uj";
    Path path = folder.resolve(file);
    assertThat(reason("amd-epyc", file, "lots\n")).isEqualTo(path + " holds \"lots\", which is no whole number of microjoules");
    assertThat(reason("amd-epyc", file, "")).isEqualTo(path + " holds \"\", which is no whole number of microjoules");
    assertThat(reason("amd-epyc", file, "\u0000\u0007" + "9".repeat(1000))).startsWith(path + " holds \"??999").hasSizeLessThan(path.toString().length() + 120);
    assertThat(reason("amd-epyc", file, "-1\n")).isEqualTo(path + " holds -1; allowed: 0 to 65532610987");
    assertThat(reason("amd-epyc", file, "65532610988\n")).isEqualTo(path + " holds 65532610988; allowed: 0 to 65532610987");
    assertThat(reason("amd-epyc", RAPL + "intel-rapl:0/max_energy_range_uj", "0\n")).endsWith("max_energy_range_uj holds 0; allowed: 1 or more");
    Files.delete(folder.resolve(RAPL + "intel-rapl:0/max_energy_range_uj"));
    assertThat(none(EnergySources.detect(folder, NO_PROGRAM))).endsWith("max_energy_range_uj is missing");
    Files.delete(path);
    Files.createDirectory(path);
    SysfsTree.put(folder, RAPL + "intel-rapl:0/max_energy_range_uj", "65532610987\n");
    assertThat(none(EnergySources.detect(folder, NO_PROGRAM))).startsWith(path + " can't be read: ");
  }

  @Test
  void theInputRailIsTheWhole() throws IOException {
    assertThat(watts("jetson-orin-nano")).isCloseTo(5.040 * 0.992, within(1e-9));
    assertThat(source("jetson-orin-nano").measures()).isEqualTo("VDD_IN");
    assertThat(source("jetson-orin-nano").name()).isEqualTo("ina3221");
  }

  @Test
  void theInputRailIsTheWholeOnTheOldDriverToo() throws IOException {
    assertThat(watts("jetson-nano")).isEqualTo(2.301);
    assertThat(source("jetson-nano").measures()).isEqualTo("POM_5V_IN");
    Files.delete(folder.resolve("bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input"));
    assertThat(((EnergySource.Power) found(EnergySources.detect(folder, NO_PROGRAM))).watts()).isCloseTo(5.048 * 0.456, within(1e-9));
  }

  @Test
  void railsWithoutAnInputAreAddedUp() throws IOException {
    assertThat(watts("jetson-agx-orin")).isCloseTo(18.880 * (0.250 + 0.040) + 5.016 * (0.808 + 0.112), within(1e-9));
    assertThat(source("jetson-agx-orin").measures()).isEqualTo("VDD_GPU_SOC, VDD_CPU_CV, VIN_SYS_5V0, VDDQ_VDD2_1V8AO");
  }

  @Test
  void aRailThatIsSwitchedOffOrBelowZeroAddsNothing() throws IOException {
    SysfsTree.unpack("jetson-agx-orin", folder);
    SysfsTree.put(folder, "class/hwmon/hwmon3/in1_enable", "0\n");
    SysfsTree.put(folder, "class/hwmon/hwmon3/curr2_input", "-8\n");
    assertThat(((EnergySource.Power) found(EnergySources.detect(folder, NO_PROGRAM))).watts()).isCloseTo(5.016 * (0.808 + 0.112), within(1e-9));
  }

  @Test
  void nonsenseInRailsIsNamed() throws IOException {
    assertThat(reason("jetson-orin-nano", MONITOR + "curr1_input", "992 mA\n"))
        .isEqualTo(folder.resolve(MONITOR + "curr1_input") + " holds \"992 mA\", which is no whole number of milliamperes");
    Files.delete(folder.resolve(MONITOR + "curr1_input"));
    assertThat(none(EnergySources.detect(folder, NO_PROGRAM))).isEqualTo(folder.resolve(MONITOR + "curr1_input") + " is missing");
    for (int rail = 1; rail <= 3; rail++) {
      Files.delete(folder.resolve(MONITOR + "in" + rail + "_label"));
    }
    assertThat(none(EnergySources.detect(folder, NO_PROGRAM))).isEqualTo("the INA3221 at " + folder.resolve("class/hwmon/hwmon1") + " names no rail with volts and amperes");
  }

  @Test
  void thePowerChipsRailsAreAddedUp() throws IOException {
    PmicSource.Reading reading = PmicSource.parse(SysfsTree.recorded("raspberry-pi-5.txt"));
    assertThat(reading.rails()).as("all but the input and the battery, of which only volts are known").isEqualTo(12);
    assertThat(reading.watts()).isCloseTo(3.761, within(0.001)); // by a calculator, from the text
  }

  @Test
  void thePowerChipIsAskedThroughItsProgram() throws IOException {
    Path output = Path.of("src/test/resources/energy/raspberry-pi-5.txt").toAbsolutePath();
    String program = SysfsTree.program(folder, "[ \"$*\" = pmic_read_adc ] && cat " + output);
    EnergySource.Power pmic = (EnergySource.Power) found(EnergySources.detect(folder, program));
    assertThat(pmic.name()).isEqualTo("pmic");
    assertThat(pmic.measures()).startsWith("12 rails");
    assertThat(pmic.watts()).isCloseTo(3.761, within(0.001));
    SysfsTree.program(folder, "echo 'VCHI initialization failed'; exit 255");
    assertThatThrownBy(pmic::watts).isInstanceOf(IOException.class).hasMessage(program + " pmic_read_adc ended with exit code 255 and \"VCHI initialization failed\"");
    Files.delete(Path.of(program));
    assertThatThrownBy(pmic::watts).isInstanceOf(IOException.class).hasMessage("no " + program + " that can be started");
  }

  @Test
  void anOlderRaspberryPiOrOtherTextIsNamed() throws IOException {
    String program = SysfsTree.program(folder, "echo 'error=1 error_msg=\"Command not registered\"'");
    assertThat(none(EnergySources.detect(folder, program)))
        .isEqualTo("vcgencmd pmic_read_adc names no rail with amperes, as a Raspberry Pi 5 does; it prints \"error=1 error_msg=\"Command not registered\"\"");
    assertThatThrownBy(() -> PmicSource.parse("VDD_CORE_A current(7)=2.8A\nEXT5V_V volt(24)=5.1V\n"))
        .hasMessage("vcgencmd pmic_read_adc tells amperes of rail VDD_CORE and not its volts");
    for (String nonsense : new String[] {"", "VDD_CORE_A current(7)=NaNA\n", "VDD_CORE_A current(7)=-1A\n", "VDD_CORE_A current(7)=2.8V\n", "VDD_CORE_A current(7)=99999999999A\n"}) {
      assertThatThrownBy(() -> PmicSource.parse(nonsense)).as(nonsense).isInstanceOf(IOException.class).hasMessageContaining("names no rail with amperes");
    }
  }

  @Test
  void aProgramThatHangsIsLeft() throws IOException {
    String program = SysfsTree.program(folder, "exec sleep 60");
    assertThat(none(EnergySources.detect(folder, program))).isEqualTo(program + " pmic_read_adc did not end within 2 seconds");
    SysfsTree.program(folder, "exec yes"); // more than a pipe holds
    assertThat(none(EnergySources.detect(folder, program))).isEqualTo(program + " pmic_read_adc did not end within 2 seconds");
  }

  @Test
  void aMachineWithoutAnyNamesAllThree() {
    assertThat(none(EnergySources.detect(folder, NO_PROGRAM))).isEqualTo("this machine has no RAPL zone in " + folder.resolve("class/powercap") + ", no INA3221 in "
        + folder.resolve("class/hwmon") + ", no " + NO_PROGRAM + " that can be started (Raspberry Pi)");
  }

  /** A sensor that can't be read is told of, not passed over for another. */
  @Test
  void thereIsNoSilentSecondChoice() throws IOException {
    SysfsTree.unpack("jetson-orin-nano", folder);
    assertThat(reason("amd-epyc", RAPL + "intel-rapl:0/energy_uj", "x")).contains("energy_uj holds \"x\"");
  }
}
