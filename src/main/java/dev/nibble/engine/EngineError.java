package dev.nibble.engine;

/**
 * What can go wrong with a request, apart from how it is told on a wire. The reason is the name in
 * {@code google.rpc.ErrorInfo}.
 */
public enum EngineError {
  /** A field of the request has a value that can't be used. */
  INVALID_REQUEST,
  /** No model of that name is served. */
  MODEL_NOT_FOUND,
  /** The model has no chat template that can be used, and the request is a conversation. */
  CHAT_UNSUPPORTED,
  /** Prompt and answer do not fit in the model's context. */
  CONTEXT_LENGTH_EXCEEDED,
  /** Prompt and answer do not fit in the memory for keys and values. */
  KV_MEMORY_EXCEEDED,
  /** The waiting line is full. */
  QUEUE_FULL,
  /** The model is not loaded yet. */
  MODEL_LOADING,
  /** The service is stopping and takes no new requests. */
  SHUTTING_DOWN,
  /** The request asks for an accelerator, and none can take it. */
  ACCELERATOR_UNAVAILABLE,
  /** The request's deadline passed. */
  DEADLINE_EXCEEDED,
  /** The client went away. */
  CANCELLED,
  /** A defect of ours. */
  INTERNAL
}
