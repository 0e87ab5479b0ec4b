package dev.nibble.serve.api;

import dev.nibble.engine.EngineError;
import io.grpc.Status;
import java.util.Optional;

/** How each error of the engine's, and each refusal to let a call in, is told on the wires: the one place where that is decided. */
public final class ErrorTable {
  /** Domain of every {@code google.rpc.ErrorInfo} and problem that Nibble reports. */
  public static final String DOMAIN = "nibble.dev";

  /**
   * One error on the wires.
   *
   * @param grpcCode canonical gRPC code
   * @param httpStatus HTTP status
   * @param openAiType {@code type} of an OpenAI-style error object
   * @param openAiCode {@code code} of an OpenAI-style error object; empty where that is null
   * @param reason {@code google.rpc.ErrorInfo} reason
   */
  public record Entry(Status.Code grpcCode, int httpStatus, String openAiType, Optional<String> openAiCode, String reason) {}

  private ErrorTable() {}

  /** The entry of an error. */
  public static Entry of(EngineError error) {
    return switch (error) {
      case INVALID_REQUEST -> entry(error, Status.Code.INVALID_ARGUMENT, 400, "invalid_request_error", null);
      case MODEL_NOT_FOUND -> entry(error, Status.Code.NOT_FOUND, 404, "invalid_request_error", "model_not_found");
      case CHAT_UNSUPPORTED -> entry(error, Status.Code.FAILED_PRECONDITION, 400, "invalid_request_error", "chat_unsupported");
      case CONTEXT_LENGTH_EXCEEDED -> entry(error, Status.Code.OUT_OF_RANGE, 400, "invalid_request_error", "context_length_exceeded");
      case KV_MEMORY_EXCEEDED -> entry(error, Status.Code.RESOURCE_EXHAUSTED, 503, "server_error", "kv_memory_exceeded");
      case QUEUE_FULL -> entry(error, Status.Code.RESOURCE_EXHAUSTED, 429, "rate_limit_error", "queue_full");
      case MODEL_LOADING -> entry(error, Status.Code.UNAVAILABLE, 503, "server_error", "model_loading");
      case SHUTTING_DOWN -> entry(error, Status.Code.UNAVAILABLE, 503, "server_error", "shutting_down");
      case ACCELERATOR_UNAVAILABLE -> entry(error, Status.Code.UNAVAILABLE, 503, "server_error", "accelerator_unavailable");
      case DEADLINE_EXCEEDED -> entry(error, Status.Code.DEADLINE_EXCEEDED, 504, "server_error", "deadline_exceeded");
      case CANCELLED -> entry(error, Status.Code.CANCELLED, 499, "server_error", "cancelled");
      case INTERNAL -> entry(error, Status.Code.INTERNAL, 500, "server_error", "internal");
    };
  }

  /** The entry of a refusal. OpenAI's API has one code for all keys that are not good, {@code invalid_api_key}. */
  public static Entry of(AccessError error) {
    return switch (error) {
      case API_KEY_MISSING, API_KEY_INVALID, API_KEY_EXPIRED -> entry(error, Status.Code.UNAUTHENTICATED, 401, "invalid_request_error", "invalid_api_key");
      case API_KEY_SCOPE -> entry(error, Status.Code.PERMISSION_DENIED, 403, "invalid_request_error", "missing_scope");
    };
  }

  private static Entry entry(Enum<?> error, Status.Code grpcCode, int httpStatus, String openAiType, String openAiCode) {
    return new Entry(grpcCode, httpStatus, openAiType, Optional.ofNullable(openAiCode), error.name());
  }
}
