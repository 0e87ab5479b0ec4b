package dev.nibble.kernel;

/**
 * Rotation by the Hadamard matrix (Sylvester's construction) over the square root of its size: orthogonal and its own inverse. It spreads an outlying
 * channel over all of them, and leaves dot products of two rotated vectors as they were, up to rounding.
 */
public final class Hadamard {
  private Hadamard() {}

  /** Rotates {@code width} numbers in place; width is a power of two. */
  public static void rotate(float[] x, int at, int width) {
    for (int half = 1; half < width; half *= 2) {
      for (int block = at; block < at + width; block += 2 * half) {
        for (int i = block; i < block + half; i++) {
          float a = x[i];
          float b = x[i + half];
          x[i] = a + b;
          x[i + half] = a - b;
        }
      }
    }
    float scale = (float) (1 / Math.sqrt(width));
    for (int i = at; i < at + width; i++) {
      x[i] *= scale;
    }
  }
}
