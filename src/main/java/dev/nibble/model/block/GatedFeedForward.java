package dev.nibble.model.block;

import dev.nibble.model.spec.FeedForwardSpec;

/** down (activation(gate x) × up x). */
public record GatedFeedForward(FeedForwardSpec.Gated spec, Linear gate, Linear up, Linear down) {
  int hidden() {
    return spec.hidden();
  }

  /** Whether its first products read the int8 form of what is normalised. */
  public boolean normedIntegers() {
    return gate.integer() || up.integer();
  }

  /** Whether its last product reads the int8 form of what is activated. */
  boolean readsIntegers() {
    return down.integer();
  }

  /** projected = down(activation(gate normed) × up normed), without the last bias. */
  public void compute(Workspace w, int rows) {
    w.products.multiply(w.normed, rows, gate.matrix(), w.gate, w.hiddenStride, up.matrix(), w.up, w.hiddenStride);
    w.activate(rows, this);
    w.products.multiply(w.activated, rows, down.matrix(), w.projected, w.widthStride);
  }

  /** Some columns of a row. */
  void activate(Workspace w, int row, int first, int count) {
    int from = row * w.hiddenStride + first;
    int to = row * w.activated.stride() + first;
    if (gate.bias().length > 0) {
      w.elementwise.add(w.gate, from, gate.bias(), first, count);
    }
    if (up.bias().length > 0) {
      w.elementwise.add(w.up, from, up.bias(), first, count);
    }
    switch (spec.activation()) {
      case SILU -> w.elementwise.gatedSilu(w.gate, from, w.up, from, count, w.activated.values(), to);
      case GELU_TANH -> w.elementwise.gatedGelu(w.gate, from, w.up, from, count, w.activated.values(), to);
    }
  }
}
