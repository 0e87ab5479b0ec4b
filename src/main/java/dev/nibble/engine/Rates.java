package dev.nibble.engine;

/**
 * How fast answers are computed, as measured over the last ones; 0 where nothing was measured yet.
 *
 * @param prefill tokens of prompts a second
 * @param decode tokens of one answer a second
 */
public record Rates(double prefill, double decode) {
  /** Nothing measured. */
  public static final Rates NONE = new Rates(0, 0);

  /** Weight of the newest answer in the moving mean: some ten answers back count, so that a busier machine is noticed soon. */
  private static final double NEWEST = 0.2;
  /** Fewer tokens than this are no measurement: starting up outweighs them. */
  private static final int LEAST_TOKENS = 8;

  /** The rates after another answer: {@code prompt} tokens computed in {@code prefillNanos}, {@code decoded} further ones in {@code decodeNanos}. */
  public Rates with(int prompt, long prefillNanos, int decoded, long decodeNanos) {
    return new Rates(mean(prefill, prompt, prefillNanos), mean(decode, decoded, decodeNanos));
  }

  private static double mean(double before, int tokens, long nanos) {
    if (tokens < LEAST_TOKENS || nanos <= 0) {
      return before;
    }
    double now = tokens * 1e9 / nanos;
    return before == 0 ? now : before + NEWEST * (now - before);
  }
}
