package dev.nibble.tokenizer.pretokenize;

import java.util.List;

/** The tree of a pattern: what {@link PatternParser} makes of its text. */
sealed interface Pattern {
  /** One code point. */
  record One(CharacterSet set) implements Pattern {}

  /** One part after the other. */
  record Sequence(List<Pattern> parts) implements Pattern {}

  /** The first that matches. */
  record Choice(List<Pattern> options) implements Pattern {}

  /**
   * As often as possible.
   *
   * @param most {@link #UNBOUNDED} where there is no bound
   */
  record Repeat(Pattern part, int least, int most) implements Pattern {}

  /** Nothing, where the text ends or the next code point is outside the set. */
  record NotBefore(CharacterSet set) implements Pattern {}

  /** {@link Repeat#most} without a bound. */
  int UNBOUNDED = Integer.MAX_VALUE;
}
