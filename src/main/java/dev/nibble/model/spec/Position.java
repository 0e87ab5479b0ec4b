package dev.nibble.model.spec;

/** How attention knows where a token stands. */
public sealed interface Position {
  /**
   * Rotary embedding (Su et al. 2021): pair i of a head's first {@code width} channels is turned by position × base^(-2i / width) / divisor.
   *
   * @param base theta
   * @param width channels of a head that are rotated, even; the rest stays as it is
   * @param pairs which channels make a pair
   * @param scaling where divisors come from
   */
  record Rope(float base, int width, RopePairs pairs, RopeScaling scaling) implements Position {}
}
