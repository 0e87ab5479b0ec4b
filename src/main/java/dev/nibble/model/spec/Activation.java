package dev.nibble.model.spec;

/** What a feed-forward layer does to its gate. */
public enum Activation {
  /** x / (1 + e^-x) (Elfwing et al. 2017). */
  SILU,
  /** x / 2 × (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks and Gimpel 2016). */
  GELU_TANH
}
