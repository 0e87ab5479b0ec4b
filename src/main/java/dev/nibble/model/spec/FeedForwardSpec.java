package dev.nibble.model.spec;

/** The part of a block that looks at one token alone. */
public sealed interface FeedForwardSpec {
  /** Width between its matrices. */
  int hidden();

  /** down (activation(gate x) × up x) (gated linear units, Shazeer 2020). */
  record Gated(int hidden, Activation activation) implements FeedForwardSpec {}
}
