package dev.nibble.model.family;

import dev.nibble.format.gguf.GgufValue;
import dev.nibble.model.spec.DecoderSpec;
import dev.nibble.model.spec.InvalidModelException;
import java.util.List;
import java.util.Map;

/**
 * A family of models: reads what a model is from its file's metadata, and lists its tensors. All that loads, converts, packs, measures or quantises models reads
 * these; nobody else knows names of tensors. A family has no state.
 */
public interface Family {
  /** Its {@code general.architecture} in GGUF files, which is also the first part of its keys. */
  String architecture();

  /** Class names in {@code config.json} of the Hugging Face checkpoints that are of this family. */
  List<String> huggingFaceClasses();

  /**
   * What a model is.
   *
   * @throws InvalidModelException that names what is missing, out of range, or not supported
   */
  DecoderSpec spec(Hyperparameters given) throws InvalidModelException;

  /** All tensors that a model has or may have, in the order in which converters write them. */
  List<TensorSpec> tensors(DecoderSpec spec);

  /**
   * Metadata that a converted model has beside those which {@link HuggingFaceConfig#common} makes for all families, by full names.
   *
   * @throws InvalidModelException that names what is not supported
   */
  default Map<String, GgufValue> metadata(HuggingFaceConfig config) throws InvalidModelException {
    return Map.of();
  }
}
