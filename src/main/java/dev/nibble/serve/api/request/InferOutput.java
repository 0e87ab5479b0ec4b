package dev.nibble.serve.api.request;

import java.util.Optional;
import java.util.stream.Stream;

/** Tensors that {@code infer} answers with, each of one element. */
public enum InferOutput {
  TEXT("text", "BYTES"),
  /** {@code stop} or {@code length}. */
  FINISH_REASON("finish_reason", "BYTES"),
  PROMPT_TOKENS("prompt_tokens", "INT32"),
  COMPLETION_TOKENS("completion_tokens", "INT32");

  private final String tensor;
  private final String datatype;

  InferOutput(String tensor, String datatype) {
    this.tensor = tensor;
    this.datatype = datatype;
  }

  /** The tensor's name. */
  public String tensor() {
    return tensor;
  }

  /** The protocol's name of its elements' type. */
  public String datatype() {
    return datatype;
  }

  static Optional<InferOutput> of(String tensor) {
    return Stream.of(values()).filter(output -> output.tensor.equals(tensor)).findFirst();
  }
}
