package dev.nibble.serve.rest;

import java.util.OptionalInt;

/** The endpoints that answer: what their bodies and responses are like. */
sealed interface Endpoint {
  /** OpenAI's, whose bodies say which model and whether to stream. */
  enum OpenAi implements Endpoint {
    CHAT,
    TEXT
  }

  /**
   * The Open Inference Protocol's {@code infer}.
   *
   * @param model its name, from the path
   * @param jsonBytes how many bytes of the body are JSON text, which the bytes of tensors follow; empty for all
   */
  record Infer(String model, OptionalInt jsonBytes) implements Endpoint {}

  /** The generate extension's {@code generate} and {@code generate_stream}. @param model its name, from the path */
  record Generate(String model, boolean stream) implements Endpoint {}
}
