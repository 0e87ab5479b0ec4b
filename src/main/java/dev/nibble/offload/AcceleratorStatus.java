package dev.nibble.offload;

import dev.nibble.engine.Rates;
import java.util.OptionalDouble;

/**
 * What is known of an accelerator.
 *
 * @param name where it listens
 * @param detail a sentence: why it is in this state; empty where that needs no reason
 * @param device its name and engine; empty while unknown
 * @param gpu whether a GPU computes
 * @param exact whether its tokens are ours bit for bit
 * @param queued answers waiting there when it was last looked at, {@code queueCapacity} of which may
 * @param running answers computed there, {@code parallel} of which may be side by side
 * @param contextLength most tokens of prompt and answer together
 * @param rates as it tells them, or as measured
 * @param roundTripSeconds of a small call
 * @param powerWatts drawn when it was last looked at
 * @param temperatureCelsius likewise
 */
public record AcceleratorStatus(
    String name, AcceleratorState state, String detail, String device, boolean gpu, boolean exact, int queued, int queueCapacity, int running, int parallel,
    int contextLength, Rates rates, double roundTripSeconds, OptionalDouble powerWatts, OptionalDouble temperatureCelsius) {

  static AcceleratorStatus unknown(String name, AcceleratorState state, String detail) {
    return new AcceleratorStatus(name, state, detail, "", false, false, 0, 0, 0, 0, 0, Rates.NONE, 0, OptionalDouble.empty(), OptionalDouble.empty());
  }

  AcceleratorStatus in(AcceleratorState other, String why) {
    return new AcceleratorStatus(name, other, why, device, gpu, exact, queued, queueCapacity, running, parallel, contextLength, rates, roundTripSeconds, powerWatts,
        temperatureCelsius);
  }

  AcceleratorStatus with(Rates measured) {
    return new AcceleratorStatus(name, state, detail, device, gpu, exact, queued, queueCapacity, running, parallel, contextLength, measured, roundTripSeconds,
        powerWatts, temperatureCelsius);
  }

  /** One line for logs and people. */
  public String line() {
    return name + ": " + state.name().toLowerCase(java.util.Locale.ROOT).replace('_', ' ') + (device.isEmpty() ? "" : ", " + device) + (detail.isEmpty() ? "" : ": " + detail);
  }
}
