package dev.nibble.serve;

import io.quarkus.test.junit.QuarkusTestProfile;
import java.util.Map;

/** A service that keeps the packed form of its model, and computes with narrow vectors, which every processor has. */
public final class PackedService implements QuarkusTestProfile {
  /** Where. */
  static final String FOLDER = "target/test-packs";

  @Override
  public Map<String, String> getConfigOverrides() {
    return Map.of("nibble.model", "src/main/resources/models/nibble-home.gguf", "nibble.pack-cache", FOLDER, "nibble.vector.bits", "128");
  }
}
