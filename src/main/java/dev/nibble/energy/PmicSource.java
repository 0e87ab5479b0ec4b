package dev.nibble.energy;

import dev.nibble.energy.EnergySources.Finding;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The power chip of a Raspberry Pi 5, which measures volts and amperes of the rails that it makes. Only the firmware is told; it is asked by
 * <a href="https://www.raspberrypi.com/documentation/computers/os.html#vcgencmd">{@code vcgencmd pmic_read_adc}</a>, a process for each reading. Lines are
 * {@code VDD_CORE_A current(7)=2.85760000A} and {@code VDD_CORE_V volt(15)=0.83875000V}; rails with both are added up. What hangs on the 5 V
 * input itself (USB, fan, boards on top) and the chip's own loss are not in the sum.
 */
final class PmicSource implements EnergySource.Power {
  static final String PROGRAM = "vcgencmd";

  private static final String COMMAND = "pmic_read_adc";
  private static final Pattern LINE = Pattern.compile("\\s*(\\w+)_([AV])\\s+(current|volt)\\(\\d+\\)=(\\d{1,6}(?:\\.\\d{1,12})?)([AV])\\s*");
  private static final Duration PATIENCE = Duration.ofSeconds(2); // it takes milliseconds
  private static final int MOST_BYTES = 1 << 14; // 26 lines take 1 KB
  /** Each reading is a process: about a hundredth of one core's time. */
  private static final Duration INTERVAL = Duration.ofSeconds(1);

  private final String program;
  private final int rails;

  private PmicSource(String program, int rails) {
    this.program = program;
    this.rails = rails;
  }

  /** @param watts of all rails together */
  record Reading(int rails, double watts) {}

  /** There is no such program, or it can't be started. */
  private static final class NoProgramException extends IOException {
    NoProgramException(String program, IOException cause) {
      super("no " + program + " that can be started", cause);
    }
  }

  static Finding find(String program) {
    try {
      return new Finding.Found(new PmicSource(program, parse(output(program)).rails()));
    } catch (NoProgramException missing) {
      return new Finding.Absent(missing.getMessage() + " (Raspberry Pi)");
    } catch (IOException unreadable) {
      return new Finding.Unusable(unreadable.getMessage());
    }
  }

  /** What the program prints. It prints little enough for the pipe to hold until it ends. */
  private static String output(String program) throws IOException {
    Process process;
    try {
      process = new ProcessBuilder(program, COMMAND).redirectErrorStream(true).redirectInput(new File("/dev/null")).start();
    } catch (IOException missing) {
      throw new NoProgramException(program, missing);
    }
    try (InputStream out = process.getInputStream()) {
      if (!process.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        throw new IOException(program + " " + COMMAND + " did not end within " + PATIENCE.toSeconds() + " seconds");
      }
      String text = new String(out.readNBytes(MOST_BYTES), StandardCharsets.UTF_8);
      if (process.exitValue() != 0) {
        throw new IOException(program + " " + COMMAND + " ended with exit code " + process.exitValue() + " and \"" + Sysfs.shortened(text) + "\"");
      }
      return text;
    } catch (InterruptedException interrupt) {
      Thread.currentThread().interrupt();
      throw new IOException(program + " " + COMMAND + " was interrupted", interrupt);
    } finally {
      process.destroyForcibly();
    }
  }

  /** Adds up the rails of a reading. @throws IOException if it names none, or one's volts are missing */
  static Reading parse(String output) throws IOException {
    Map<String, Double> amperes = new LinkedHashMap<>();
    Map<String, Double> volts = new LinkedHashMap<>();
    for (String line : output.lines().toList()) {
      Matcher matcher = LINE.matcher(line);
      if (matcher.matches() && matcher.group(2).equals(matcher.group(5))) {
        (matcher.group(3).equals("current") ? amperes : volts).put(matcher.group(1), Double.parseDouble(matcher.group(4)));
      }
    }
    if (amperes.isEmpty()) {
      throw new IOException(PROGRAM + " " + COMMAND + " names no rail with amperes, as a Raspberry Pi 5 does; it prints \"" + Sysfs.shortened(output) + "\"");
    }
    double watts = 0;
    for (Map.Entry<String, Double> rail : amperes.entrySet()) {
      Double volt = volts.get(rail.getKey());
      if (volt == null) {
        throw new IOException(PROGRAM + " " + COMMAND + " tells amperes of rail " + rail.getKey() + " and not its volts");
      }
      watts += rail.getValue() * volt;
    }
    return new Reading(amperes.size(), watts);
  }

  @Override
  public String name() {
    return "pmic";
  }

  @Override
  public String measures() {
    return rails + " rails behind the power chip, without the 5 V input's other loads";
  }

  @Override
  public Duration interval() {
    return INTERVAL;
  }

  @Override
  public double watts() throws IOException {
    return parse(output(program)).watts();
  }
}
