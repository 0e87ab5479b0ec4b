package dev.nibble.engine;

import dev.nibble.format.Printable;

/**
 * What is told of a served model.
 *
 * @param name the name requests use
 * @param architecture GGUF's name of the architecture
 * @param parameters number of weights
 * @param contextLength longest prompt and answer together, in tokens
 * @param vocabularySize number of token ids
 * @param bitsPerWeight mean storage of a weight, scales included
 * @param createdEpochSeconds when the file was made
 */
public record ModelInfo(
    String name, String architecture, long parameters, int contextLength, int vocabularySize, double bitsPerWeight, long createdEpochSeconds) {
  public ModelInfo {
    name = Printable.message(name); // a file's name may have any characters, and this one is logged, a label and a header
  }
}
