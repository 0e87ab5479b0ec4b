package dev.nibble.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.energy.EnergySources;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What bench tells of a run's energy, on a machine whose counter the test turns. */
final class BenchEnergyTest {
  @TempDir
  Path folder;

  private void put(String file, String content) throws IOException {
    Path path = folder.resolve("class/powercap/intel-rapl:0").resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, content);
  }

  private EnergySources.Detection detect() {
    return EnergySources.detect(folder, "/nowhere/vcgencmd");
  }

  /** A run of 40 tokens of prompt, 3 J, and 5 further ones, 10 J, or what the counter says instead. */
  private ObjectNode run(String last) throws IOException {
    put("name", "package-0\n");
    put("max_energy_range_uj", "65532610987\n");
    put("energy_uj", "1000000\n");
    BenchEnergy energy = new BenchEnergy(detect());
    try (energy) {
      put("energy_uj", "4000000\n");
      energy.logits();
      put("energy_uj", "9000000\n");
      energy.logits();
      put("energy_uj", last);
      energy.end();
    }
    ObjectNode out = JsonNodeFactory.instance.objectNode();
    energy.put(out, 40, 5);
    return out;
  }

  @Test
  void promptAndTokensAreToldApart() throws IOException {
    assertThat(run("14000000\n").toString()).isEqualTo("{\"energy_source\":\"rapl\",\"energy_joules\":13.0,\"prefill_joules_per_token\":0.075,"
        + "\"decode_joules_per_token\":2.0,\"energy_measures\":\"package-0\"}");
  }

  @Test
  void aSensorThatFailsMeanwhileGivesNoNumber() throws IOException {
    ObjectNode out = run("broken\n");
    assertThat(out.get("energy_joules").isNull()).isTrue();
    assertThat(out.get("energy_source").isNull()).isTrue();
    assertThat(out.get("energy_why_none").textValue()).endsWith("energy_uj holds \"broken\", which is no whole number of microjoules");
  }

  @Test
  void withoutASensorThereIsAReason() {
    try (BenchEnergy energy = new BenchEnergy(detect())) {
      energy.logits();
      energy.end();
      ObjectNode out = JsonNodeFactory.instance.objectNode();
      energy.put(out, 1, 1);
      assertThat(out.toString()).startsWith("{\"energy_source\":null,\"energy_joules\":null,\"prefill_joules_per_token\":null,\"decode_joules_per_token\":null,"
          + "\"energy_why_none\":\"this machine has no RAPL zone in ");
    }
  }
}
