package dev.nibble.format.llama2c;

/** What a tensor of a llama2.c checkpoint is for, with its shape [rows, columns]; norms have one row. */
public enum Llama2cRole {
  /** [vocabulary, dimension] */
  TOKEN_EMBEDDING(false, true),
  /** [1, dimension] */
  ATTENTION_NORM(true, false),
  /** wq [dimension, dimension] */
  QUERY(true, true),
  /** wk [key-value dimension, dimension] */
  KEY(true, true),
  /** wv [key-value dimension, dimension] */
  VALUE(true, true),
  /** wo [dimension, dimension] */
  ATTENTION_OUTPUT(true, true),
  /** [1, dimension] */
  FEED_FORWARD_NORM(true, false),
  /** w1 [hidden, dimension] */
  FEED_FORWARD_GATE(true, true),
  /** w2 [dimension, hidden] */
  FEED_FORWARD_DOWN(true, true),
  /** w3 [hidden, dimension] */
  FEED_FORWARD_UP(true, true),
  /** [1, dimension] */
  OUTPUT_NORM(false, false),
  /** wcls [vocabulary, dimension]: only where the classifier is not shared. */
  OUTPUT(false, true);

  private final boolean perLayer;
  private final boolean matrix;

  Llama2cRole(boolean perLayer, boolean matrix) {
    this.perLayer = perLayer;
    this.matrix = matrix;
  }

  /** Whether every layer has one. */
  public boolean perLayer() {
    return perLayer;
  }

  /** Whether it is a matrix (which version 2 stores in int8) and no norm. */
  public boolean matrix() {
    return matrix;
  }

  int rows(Llama2cConfig config) {
    return switch (this) {
      case TOKEN_EMBEDDING, OUTPUT -> config.vocabularySize();
      case ATTENTION_NORM, FEED_FORWARD_NORM, OUTPUT_NORM -> 1;
      case QUERY, ATTENTION_OUTPUT, FEED_FORWARD_DOWN -> config.dimension();
      case KEY, VALUE -> config.keyValueDimension();
      case FEED_FORWARD_GATE, FEED_FORWARD_UP -> config.hiddenDimension();
    };
  }

  int columns(Llama2cConfig config) {
    return this == FEED_FORWARD_DOWN ? config.hiddenDimension() : config.dimension();
  }
}
