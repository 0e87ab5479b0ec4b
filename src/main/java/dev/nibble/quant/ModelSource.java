package dev.nibble.quant;

import java.nio.file.Path;
import java.util.List;

/** A model to convert: a Llama whose weights can be read as floats under GGUF's names. */
public sealed interface ModelSource permits HuggingFaceLlama, Llama2cModel {
  /** A name for people. */
  String name();

  /** The file that holds the weights; a conversion must not write over it. */
  Path weightsFile();

  LlamaShape shape();

  /** All tensors, in the order to write them. */
  List<SourceTensor> tensors();
}
