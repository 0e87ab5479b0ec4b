package dev.nibble.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.energy.EnergyMeter;
import dev.nibble.energy.EnergySources;
import java.util.Optional;

/** The energy of one run: of its prompt, and of the tokens after it. Where nothing measures it, the reason. */
final class BenchEnergy implements AutoCloseable {
  private final Optional<EnergyMeter> meter;
  private final String whyNone;
  private final double start;
  private double afterPrompt = -1; // not reached
  private double end;

  /** The run begins. */
  BenchEnergy(EnergySources.Detection detection) {
    switch (detection) {
      case EnergySources.Detection.Found found -> {
        meter = Optional.of(EnergyMeter.start(found.source(), problem -> {}));
        whyNone = "";
      }
      case EnergySources.Detection.None none -> {
        meter = Optional.empty();
        whyNone = none.reason();
      }
    }
    start = joules();
  }

  private double joules() {
    return meter.map(EnergyMeter::joules).orElse(0.0);
  }

  /** Logits are there: the first time, those of the prompt. */
  void logits() {
    if (afterPrompt < 0) {
      afterPrompt = joules();
    }
  }

  /** The run is over. */
  void end() {
    end = joules();
  }

  /** Writes {@code energy_…}: numbers, or null and why. */
  void put(ObjectNode out, int prompt, int generated) {
    Optional<String> reason = meter.isEmpty() ? Optional.of(whyNone) : meter.get().problem();
    if (reason.isPresent()) {
      out.putNull("energy_source").putNull("energy_joules").putNull("prefill_joules_per_token").putNull("decode_joules_per_token");
      out.put("energy_why_none", reason.get());
    } else {
      out.put("energy_source", meter.get().source().name()).put("energy_joules", end - start);
      out.put("prefill_joules_per_token", (afterPrompt - start) / prompt).put("decode_joules_per_token", (end - afterPrompt) / generated);
      out.put("energy_measures", meter.get().source().measures());
    }
  }

  @Override
  public void close() {
    meter.ifPresent(EnergyMeter::close);
  }
}
