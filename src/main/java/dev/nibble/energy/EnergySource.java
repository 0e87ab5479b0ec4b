package dev.nibble.energy;

import java.io.IOException;
import java.time.Duration;

/**
 * A sensor of the energy that this machine uses: all of it that the sensor is wired to, whichever process uses it. What each sensor leaves out is told in
 * docs/energy.md.
 */
public sealed interface EnergySource {
  /** A word for labels and fields: {@code rapl}, {@code ina3221} or {@code pmic}. */
  String name();

  /** What is measured, in the sensor's own words; such as "package-0, dram of package-0". */
  String measures();

  /** How often it wants to be read, at least. */
  Duration interval();

  /** A sensor that counts energy itself; thread-safe. */
  sealed interface Counter extends EnergySource permits RaplSource {
    /** Joules since the source was opened. @throws IOException if it can't be read: the message names the file */
    double joules() throws IOException;
  }

  /** A sensor of power, whose readings have to be added up; thread-safe. */
  sealed interface Power extends EnergySource permits Ina3221Source, PmicSource {
    /** Watts, now. @throws IOException if it can't be read: the message names what */
    double watts() throws IOException;
  }
}
