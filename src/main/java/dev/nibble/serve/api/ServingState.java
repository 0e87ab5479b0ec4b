package dev.nibble.serve.api;

import java.util.List;

/**
 * Fired as a CDI event whenever readiness changes: loading is over, or the service begins to stop.
 *
 * @param ready whether requests should be sent here
 * @param models names of the models loaded
 */
public record ServingState(boolean ready, List<String> models) {
  public ServingState {
    models = List.copyOf(models);
  }
}
