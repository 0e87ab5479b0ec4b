package dev.nibble.serve.health;

import java.util.List;

/**
 * Whether requests should be sent here. Fired as a CDI event when it changes.
 *
 * @param ready whether they should
 * @param reason why not: {@code loading}, {@code stopping}, {@code canary_late}, {@code canary_different}, {@code canary_failed} or
 *     {@code queue_full}; empty if they should
 * @param models names of the models loaded
 */
public record ReadinessVerdict(boolean ready, String reason, List<String> models) {
  public ReadinessVerdict {
    models = List.copyOf(models);
  }
}
