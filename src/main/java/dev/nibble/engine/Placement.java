package dev.nibble.engine;

/**
 * Where an answer was computed, and why there.
 *
 * @param policy what was asked for
 * @param accelerator name of the device that computed the answer or its beginning; empty where none did
 * @param acceleratorTokens tokens of the answer that came from there
 * @param reason a sentence for people: what the decision rests on, and what went wrong if something did
 * @param continued whether the accelerator failed in mid-answer and the rest was computed elsewhere
 */
public record Placement(OffloadPolicy policy, String accelerator, int acceleratorTokens, String reason, boolean continued) {
  /** An answer that no accelerator had a part in. */
  public static Placement here(OffloadPolicy policy, String reason) {
    return new Placement(policy, "", 0, reason, false);
  }
}
