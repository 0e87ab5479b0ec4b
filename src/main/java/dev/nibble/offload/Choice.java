package dev.nibble.offload;

import dev.nibble.engine.OffloadPolicy;
import dev.nibble.engine.Rates;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;

/**
 * Where to compute an answer: accelerators to offer it to, the best first, none for here; and why, in a sentence.
 *
 * @param accelerators names
 */
record Choice(List<String> accelerators, String reason) {
  /** An accelerator must promise this part of our own time at most: a gain smaller than the estimates' error is none. */
  private static final double GAIN = 0.9;

  /**
   * What a decision rests on.
   *
   * @param promptTokens to be computed here, those found in a cache not counted
   * @param expectedTokens that the answer is expected to have
   * @param here how fast answers are computed here
   * @param hereWaitSeconds how long one would wait for its turn here
   * @param powerBudgetWatts that an accelerator may draw
   */
  record Situation(OffloadPolicy policy, int promptTokens, int expectedTokens, Rates here, double hereWaitSeconds, OptionalDouble powerBudgetWatts) {}

  Choice {
    accelerators = List.copyOf(accelerators);
  }

  private record Offer(AcceleratorStatus status, double seconds) {}

  /** Decides by what is known of the accelerators; those that can't take the request at all have been left out by whoever asks, with these words. */
  static Choice of(Situation situation, List<AcceleratorStatus> accelerators, List<String> leftOut) {
    List<Offer> offers = new ArrayList<>();
    List<String> against = new ArrayList<>(leftOut);
    for (AcceleratorStatus status : accelerators) {
      String objection = objection(situation, status);
      if (objection.isEmpty()) {
        offers.add(new Offer(status, seconds(situation, status)));
      } else {
        against.add(status.name() + " " + objection);
      }
    }
    // Without a measurement last, then by time; equals in the order of the settings.
    offers.sort(Comparator.comparingDouble(offer -> Double.isNaN(offer.seconds()) ? Double.POSITIVE_INFINITY : offer.seconds()));
    return switch (situation.policy()) {
      case OFF -> new Choice(List.of(), "Offload is off.");
      case AUTO -> auto(situation, offers, against);
      case PREFER, REQUIRE -> offers.isEmpty()
          ? new Choice(List.of(), none(against))
          : new Choice(offers.stream().map(offer -> offer.status().name()).toList(), "An accelerator is " + (situation.policy() == OffloadPolicy.PREFER ? "preferred" : "required") + ".");
    };
  }

  private static Choice auto(Situation situation, List<Offer> offers, List<String> against) {
    if (offers.isEmpty()) {
      return new Choice(List.of(), none(against));
    }
    double here = seconds(situation.promptTokens(), situation.expectedTokens(), situation.here(), situation.hereWaitSeconds());
    Offer best = offers.getFirst();
    if (Double.isNaN(here)) {
      return new Choice(List.of(), "Nothing was measured here yet to compare with.");
    }
    if (Double.isNaN(best.seconds())) {
      return new Choice(List.of(), "Nothing was measured at " + best.status().name() + " yet to compare with.");
    }
    String comparison = String.format(Locale.ROOT, "%.3f s expected at %s, %.3f s here (%d tokens of prompt, %d of answer expected; waiting %.3f s there, %.3f s here)",
        best.seconds(), best.status().name(), here, situation.promptTokens(), situation.expectedTokens(), waitSeconds(situation, best.status()), situation.hereWaitSeconds());
    List<String> faster = offers.stream().filter(offer -> offer.seconds() < GAIN * here).map(offer -> offer.status().name()).toList();
    return new Choice(faster, comparison + ".");
  }

  private static String none(List<String> against) {
    return against.isEmpty() ? "There is no accelerator." : "No accelerator can take it: " + String.join("; ", against) + ".";
  }

  /** Why an accelerator does not come into question; empty if it does. */
  private static String objection(Situation situation, AcceleratorStatus status) {
    String state = switch (status.state()) {
      case READY -> "";
      case DEGRADED -> situation.policy() == OffloadPolicy.AUTO ? "" : "is degraded (" + status.detail() + ")";
      case UNKNOWN, NOT_SERVING, MISMATCHED, WRONG_ANSWERS, UNREACHABLE, RESTING ->
          "is " + status.state().name().toLowerCase(Locale.ROOT).replace('_', ' ') + (status.detail().isEmpty() ? "" : " (" + status.detail() + ")");
    };
    if (!state.isEmpty()) {
      return state;
    }
    if (status.queued() >= status.queueCapacity() && status.running() >= status.parallel()) {
      return "is full (" + status.running() + " running, " + status.queued() + " waiting)";
    }
    if (situation.promptTokens() + situation.expectedTokens() > status.contextLength()) {
      return "has a context of " + status.contextLength() + " tokens";
    }
    boolean overBudget = situation.powerBudgetWatts().isPresent() && status.powerWatts().isPresent()
        && status.powerWatts().getAsDouble() > situation.powerBudgetWatts().getAsDouble();
    if (overBudget && situation.policy() != OffloadPolicy.REQUIRE) {
      return String.format(Locale.ROOT, "draws %.1f W, more than the budget of %.1f W", status.powerWatts().getAsDouble(), situation.powerBudgetWatts().getAsDouble());
    }
    return "";
  }

  private static double seconds(Situation situation, AcceleratorStatus status) {
    return status.roundTripSeconds() + seconds(situation.promptTokens(), situation.expectedTokens(), status.rates(), waitSeconds(situation, status));
  }

  /** Answers there are taken to be like this one: full rounds of what is computed side by side have to pass first. */
  private static double waitSeconds(Situation situation, AcceleratorStatus status) {
    int before = status.queued() + Math.max(0, status.running() - status.parallel() + 1);
    return before == 0 || status.parallel() == 0 ? 0 : before * seconds(situation.promptTokens(), situation.expectedTokens(), status.rates(), 0) / status.parallel();
  }

  /** NaN where a rate is not known. */
  private static double seconds(int prompt, int answer, Rates rates, double wait) {
    return rates.prefill() <= 0 || rates.decode() <= 0 ? Double.NaN : wait + prompt / rates.prefill() + answer / rates.decode();
  }
}
