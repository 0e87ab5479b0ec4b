package dev.nibble.model.spec;

import java.util.Optional;

/**
 * A transformer block: x += after(attention(before(x))), then the same with the feed-forward.
 *
 * @param attentionNorm of what attention reads
 * @param afterAttention of what it adds; empty for none
 * @param feedForwardNorm of what the feed-forward reads
 * @param afterFeedForward of what it adds; empty for none
 */
public record LayerSpec(
    AttentionSpec attention, FeedForwardSpec feedForward, Norm attentionNorm, Optional<Norm> afterAttention, Norm feedForwardNorm, Optional<Norm> afterFeedForward) {
  /** With one norm before each part, as Llama. */
  public LayerSpec(AttentionSpec attention, FeedForwardSpec feedForward, Norm norm) {
    this(attention, feedForward, norm, Optional.empty(), norm, Optional.empty());
  }
}
