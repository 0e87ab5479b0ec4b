package dev.nibble.quant;

import dev.nibble.format.gguf.GgufValue;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A model to convert: weights that can be read as floats under GGUF's names. */
public sealed interface ModelSource permits HuggingFaceModel, Llama2cModel {
  /** A name for people. */
  String name();

  /** The file that holds the weights; a conversion must not write over it. */
  Path weightsFile();

  /** What a converted file says of it, {@code general.architecture} first; without its name and tokenizer. */
  Map<String, GgufValue> metadata();

  /** All tensors, in the order to write them. */
  List<SourceTensor> tensors();

  /** Number of token ids: rows of the token embedding, which every family lists first. */
  default int vocabularySize() {
    return tensors().getFirst().rows();
  }
}
