package dev.nibble.serve.rest;

/** The endpoints that answer: what their bodies and responses are like. */
sealed interface Endpoint {
  /** OpenAI's, whose bodies say which model and whether to stream. */
  enum OpenAi implements Endpoint {
    CHAT,
    TEXT
  }

  /** The Open Inference Protocol's {@code infer}. @param model its name, from the path */
  record Infer(String model) implements Endpoint {}

  /** The generate extension's {@code generate} and {@code generate_stream}. @param model its name, from the path */
  record Generate(String model, boolean stream) implements Endpoint {}
}
