package dev.nibble.model.family;

/** What a tensor is for. */
public enum TensorRole {
  /** [vocabulary, width] */
  TOKEN_EMBEDDING(Input.NONE),
  /** [width] */
  ATTENTION_NORM(Input.NONE),
  /** [heads × head width, width] */
  QUERY(Input.ATTENTION),
  QUERY_BIAS(Input.NONE),
  /** [key-value heads × head width, width] */
  KEY(Input.ATTENTION),
  KEY_BIAS(Input.NONE),
  /** [key-value heads × head width, width] */
  VALUE(Input.ATTENTION),
  VALUE_BIAS(Input.NONE),
  /** {@link #QUERY}, {@link #KEY} and {@link #VALUE} one below the other. */
  QUERY_KEY_VALUE(Input.ATTENTION),
  /** [head width], for each head of queries */
  QUERY_NORM(Input.NONE),
  /** [head width], for each head of keys */
  KEY_NORM(Input.NONE),
  /** [width, heads × head width] */
  ATTENTION_OUTPUT(Input.HEADS),
  ATTENTION_OUTPUT_BIAS(Input.NONE),
  /** [width] */
  AFTER_ATTENTION_NORM(Input.NONE),
  /** [width] */
  FEED_FORWARD_NORM(Input.NONE),
  /** [hidden, width] */
  GATE(Input.FEED_FORWARD),
  GATE_BIAS(Input.NONE),
  /** [hidden, width] */
  UP(Input.FEED_FORWARD),
  UP_BIAS(Input.NONE),
  /** {@link #GATE} and {@link #UP} one below the other. */
  GATE_UP(Input.FEED_FORWARD),
  /** [width, hidden] */
  DOWN(Input.HIDDEN),
  DOWN_BIAS(Input.NONE),
  /** [width] */
  AFTER_FEED_FORWARD_NORM(Input.NONE),
  /** [width] */
  OUTPUT_NORM(Input.NONE),
  /** [pairs]: divisors of RoPE's frequencies */
  ROPE_FACTORS(Input.NONE),
  /** [pairs]: LongRoPE's divisors for long contexts */
  ROPE_FACTORS_LONG(Input.NONE),
  /** [pairs]: LongRoPE's divisors for short contexts */
  ROPE_FACTORS_SHORT(Input.NONE),
  /** [vocabulary, width]; where there is none, the embedding is the head too */
  OUTPUT(Input.HEAD);

  /** What matrices are multiplied with: those with the same input in a layer can share a scaling of its channels. */
  public enum Input {
    /** No product. */
    NONE,
    /** The normalised residual, before attention. */
    ATTENTION,
    /** Attention's heads. */
    HEADS,
    /** The normalised residual, before the feed-forward. */
    FEED_FORWARD,
    /** The feed-forward's hidden channels. */
    HIDDEN,
    /** The normalised residual after the last layer. */
    HEAD
  }

  private final Input input;

  TensorRole(Input input) {
    this.input = input;
  }

  /** What it is multiplied with. */
  public Input input() {
    return input;
  }
}
