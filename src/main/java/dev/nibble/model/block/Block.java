package dev.nibble.model.block;

/**
 * A transformer block.
 *
 * @param attentionNorm of what attention reads
 * @param afterAttention of what it adds; null for none
 * @param feedForwardNorm of what the feed-forward reads
 * @param afterFeedForward of what it adds; null for none
 */
public record Block(
    Attention attention, GatedFeedForward feedForward, Normalization attentionNorm, Normalization afterAttention, Normalization feedForwardNorm,
    Normalization afterFeedForward) {}
