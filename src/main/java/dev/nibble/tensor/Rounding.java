package dev.nibble.tensor;

/** Steps that encoders share. */
final class Rounding {
  private Rounding() {}

  /** Index of the first weight of largest magnitude. */
  static int largest(float[] weights, int start, int count) {
    int best = start;
    for (int i = start + 1; i < start + count; i++) {
      if (Math.abs(weights[i]) > Math.abs(weights[best])) {
        best = i;
      }
    }
    return best;
  }

  static float minimum(float[] weights, int start, int count) {
    float minimum = weights[start];
    for (int i = start + 1; i < start + count; i++) {
      minimum = weights[i] < minimum ? weights[i] : minimum;
    }
    return minimum;
  }

  static float maximum(float[] weights, int start, int count) {
    float maximum = weights[start];
    for (int i = start + 1; i < start + count; i++) {
      maximum = weights[i] > maximum ? weights[i] : maximum;
    }
    return maximum;
  }

  /** 1 / scale; 0 for scales so small that it would be infinite, whose blocks are all zero anyway. */
  static float inverse(float scale) {
    float inverse = 1f / scale;
    return Float.isFinite(inverse) ? inverse : 0f;
  }

  /** C's roundf. The sum is a double, as 0.49999997f + 0.5f would round up to 1. */
  static int halfAway(float value) {
    int magnitude = (int) (Math.abs((double) value) + 0.5);
    return value < 0 ? -magnitude : magnitude;
  }
}
