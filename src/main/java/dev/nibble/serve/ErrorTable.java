package dev.nibble.serve;

import dev.nibble.engine.EngineError;
import io.grpc.Status;
import java.util.Optional;

/** How each engine error is told on the wires: the one place where that is decided. */
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

  private static Entry entry(EngineError error, Status.Code grpcCode, int httpStatus, String openAiType, String openAiCode) {
    return new Entry(grpcCode, httpStatus, openAiType, Optional.ofNullable(openAiCode), error.name());
  }
}
