package dev.nibble.serve;

import io.quarkus.test.junit.QuarkusTestProfile;
import java.util.Map;

/** A service with room for few connections, which may take little time. */
public final class SmallLimits implements QuarkusTestProfile {
  static final int MAX = 12;
  static final int MAX_PER_ADDRESS = 10;
  static final int MAX_REQUESTS = 16;

  @Override
  public Map<String, String> getConfigOverrides() {
    return Map.of("nibble.connections.max", Integer.toString(MAX), "nibble.connections.max-per-address", Integer.toString(MAX_PER_ADDRESS),
        "nibble.connections.max-requests", Integer.toString(MAX_REQUESTS), "nibble.connections.head-timeout", "2s", "nibble.connections.idle-timeout", "3s", "nibble.connections.read-timeout", "2s",
        "nibble.rest.body-timeout", "2s",
        "nibble.rest.allowed-hosts", "gateway.example.com,*.example.org", "quarkus.http.cors.enabled", "true", "quarkus.http.cors.origins", "http://page.example.com");
  }
}
