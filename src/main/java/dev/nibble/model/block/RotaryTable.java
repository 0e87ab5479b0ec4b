package dev.nibble.model.block;

import dev.nibble.kernel.Angles;
import dev.nibble.kernel.Elementwise;
import dev.nibble.model.spec.Position;

/** Sines and cosines of a rotary embedding for the tokens of a forward pass; all layers that have it use the same. */
public final class RotaryTable {
  private final Position.Rope rope;
  private final double[] frequencies; // [width / 2], radians a position
  private final float magnitude;
  private final float[] cosines; // [token][width], for each channel
  private final float[] sines; // [token][width], negative for the first channel of a pair

  /**
   * A table.
   *
   * @param divisors [width / 2], of the frequencies; empty where they are taken as they are
   * @param magnitude by which sines and cosines are multiplied
   * @param tokens most that a pass has
   */
  public RotaryTable(Position.Rope rope, double[] divisors, float magnitude, int tokens) {
    this.rope = rope;
    this.magnitude = magnitude;
    cosines = new float[tokens * rope.width()];
    sines = new float[tokens * rope.width()];
    frequencies = new double[rope.width() / 2];
    for (int i = 0; i < frequencies.length; i++) {
      // StrictMath is defined to the last bit, on every machine.
      frequencies[i] = StrictMath.pow(rope.base(), -2.0 * i / rope.width());
      if (divisors.length > 0) {
        frequencies[i] /= divisors[i];
      }
    }
  }

  /** Computes a token's row. */
  void fill(int token, int position) {
    int base = token * rope.width();
    int half = frequencies.length;
    for (int i = 0; i < half; i++) {
      float cosine = (float) Angles.cosine(position * frequencies[i]) * magnitude;
      float sine = (float) Angles.sine(position * frequencies[i]) * magnitude;
      int first = switch (rope.pairs()) {
        case ADJACENT -> base + 2 * i;
        case HALVES -> base + i;
      };
      int second = switch (rope.pairs()) {
        case ADJACENT -> first + 1;
        case HALVES -> first + half;
      };
      cosines[first] = cosine;
      cosines[second] = cosine;
      sines[first] = -sine;
      sines[second] = sine;
    }
  }

  /** Rotates a token's heads, which stand side by side. */
  void rotate(Elementwise elementwise, float[] vectors, int at, int heads, int headWidth, int token) {
    if (rope.width() == headWidth) {
      rotate(elementwise, vectors, at, heads, token);
      return;
    }
    for (int head = 0; head < heads; head++) {
      rotate(elementwise, vectors, at + head * headWidth, 1, token);
    }
  }

  private void rotate(Elementwise elementwise, float[] vectors, int at, int heads, int token) {
    switch (rope.pairs()) {
      case ADJACENT -> elementwise.rotateAdjacent(vectors, at, heads, rope.width(), cosines, sines, token * rope.width());
      case HALVES -> elementwise.rotateHalves(vectors, at, heads, rope.width(), cosines, sines, token * rope.width());
    }
  }
}
