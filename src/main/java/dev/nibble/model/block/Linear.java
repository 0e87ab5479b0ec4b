package dev.nibble.model.block;

import dev.nibble.kernel.TiledMatrix;

/**
 * y = W x + b.
 *
 * @param name of its matrix in the model's file
 * @param matrix W: [outputs, inputs]
 * @param bias b: [outputs]; empty for none
 */
public record Linear(String name, TiledMatrix matrix, float[] bias) {
  /** Whether it reads the int8 form of its inputs. */
  boolean integer() {
    return matrix.integer();
  }
}
