package dev.nibble.model;

import dev.nibble.kernel.TiledMatrix;
import dev.nibble.model.family.TensorRole;

/** A decoder's weights by what they are for; {@link dev.nibble.model.family.TensorSpec#WHOLE_MODEL} is the layer of those that belong to none. */
public interface DecoderTensors {
  /** A matrix; null where the model has none for this role. */
  TiledMatrix matrix(TensorRole role, int layer);

  /** A vector; empty where the model has none for this role. */
  float[] vector(TensorRole role, int layer);

  /** What the model's file calls a tensor, for messages. */
  String name(TensorRole role, int layer);
}
