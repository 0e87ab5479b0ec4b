package dev.nibble.engine;

import java.util.List;

/**
 * A piece of an answer. Text is released when it is whole UTF-8 and can no longer become a stop string, so a piece's text may
 * be empty, and may hold what earlier tokens kept back.
 *
 * @param id token id
 * @param text text released with this token
 * @param logProbability natural logarithm of the token's probability before sampling's changes; NaN where not asked for
 * @param alternatives the most likely tokens, best first; empty where not asked for
 */
public record GeneratedToken(int id, String text, float logProbability, List<TokenLogProbability> alternatives) {
  /** A candidate token, its text alone, and the natural logarithm of its probability. */
  public record TokenLogProbability(int id, String text, float logProbability) {}
}
