package dev.nibble.serve.api.request;

import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** Tensors that {@code infer} takes: a prompt or messages, and how to answer. A tensor's name is the parameter's of the same meaning. */
public enum InferInput {
  PROMPT("prompt", Kind.TEXT, "BYTES"),
  /** One element: the JSON text of an array of messages. */
  MESSAGES("messages", Kind.TEXT, "BYTES"),
  MAX_TOKENS("max_tokens", Kind.INTEGER, "INT32"),
  TEMPERATURE("temperature", Kind.NUMBER, "FP32"),
  TOP_P("top_p", Kind.NUMBER, "FP32"),
  TOP_K("top_k", Kind.INTEGER, "INT32"),
  MIN_P("min_p", Kind.NUMBER, "FP32"),
  REPETITION_PENALTY("repetition_penalty", Kind.NUMBER, "FP32"),
  PRESENCE_PENALTY("presence_penalty", Kind.NUMBER, "FP32"),
  FREQUENCY_PENALTY("frequency_penalty", Kind.NUMBER, "FP32"),
  SEED("seed", Kind.INTEGER, "INT64"),
  /** As many elements as there are stop strings. */
  STOP("stop", Kind.TEXT, "BYTES"),
  IGNORE_EOS("ignore_eos", Kind.FLAG, "BOOL");

  /** What elements are, and the protocol's datatypes that hold such. */
  enum Kind {
    TEXT(Set.of("BYTES")),
    INTEGER(Set.of("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")),
    NUMBER(Set.of("FP16", "FP32", "FP64")),
    FLAG(Set.of("BOOL"));

    private final Set<String> datatypes;

    Kind(Set<String> datatypes) {
      this.datatypes = datatypes;
    }
  }

  private final String tensor;
  private final Kind kind;
  private final String datatype;

  InferInput(String tensor, Kind kind, String datatype) {
    this.tensor = tensor;
    this.kind = kind;
    this.datatype = datatype;
  }

  /** The tensor's name. */
  public String tensor() {
    return tensor;
  }

  /** The datatype that metadata tells; others that hold such values are taken too. */
  public String datatype() {
    return datatype;
  }

  /** The shape that metadata tells: how many elements, -1 for as many as there are. */
  public int length() {
    return this == STOP ? -1 : 1;
  }

  Kind kind() {
    return kind;
  }

  boolean takes(String type) {
    return kind.datatypes.contains(type);
  }

  static Optional<InferInput> of(String tensor) {
    return Stream.of(values()).filter(input -> input.tensor.equals(tensor)).findFirst();
  }
}
