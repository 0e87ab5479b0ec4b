package dev.nibble.serve;

import io.quarkus.test.junit.QuarkusTestProfile;
import java.util.Map;

/** A service with room for one waiting request, so that its line is soon full, whose streams have comments between their pieces. */
public final class SmallQueue implements QuarkusTestProfile {
  @Override
  public Map<String, String> getConfigOverrides() {
    return Map.of("nibble.queue-capacity", "1", "nibble.rest.stream-comment-interval", "PT0.001S");
  }
}
