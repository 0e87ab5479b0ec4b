package dev.nibble.serve.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.nibble.energy.EnergySources;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The counter is there where something measures, and only there. */
final class EnergyMetricsTest {
  @TempDir
  Path folder;

  private void put(String file, String content) throws Exception {
    Path path = folder.resolve("class/powercap/intel-rapl:0").resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, content);
  }

  @Test
  void joulesAreCountedWhereSomethingMeasures() throws Exception {
    put("name", "package-0\n");
    put("max_energy_range_uj", "65532610987\n");
    put("energy_uj", "1000000\n");
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    EnergyMetrics metrics = new EnergyMetrics(registry);
    metrics.publish(EnergySources.detect(folder, "/nowhere/vcgencmd"));
    put("energy_uj", "4500000\n");
    assertThat(registry.get("nibble.energy.joules").tag("source", "rapl").functionCounter().count()).isEqualTo(3.5);
    assertThat(registry.get("nibble.energy.info").tag("source", "rapl").tag("detail", "package-0").gauge().value()).isEqualTo(1);
    metrics.close();
  }

  @Test
  void elsewhereTheReasonIsTold() {
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    EnergyMetrics metrics = new EnergyMetrics(registry);
    metrics.publish(EnergySources.detect(folder, "/nowhere/vcgencmd"));
    assertThat(registry.getMeters().stream().map(Meter::getId).map(Meter.Id::getName)).containsExactly("nibble.energy.info");
    assertThat(registry.get("nibble.energy.info").tag("source", "none").gauge().getId().getTag("detail")).startsWith("this machine has no RAPL zone in ");
    metrics.close();
  }
}
