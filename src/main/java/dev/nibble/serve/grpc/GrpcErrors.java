package dev.nibble.serve.grpc;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.QuotaFailure;
import com.google.rpc.RetryInfo;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.ErrorTable;
import dev.nibble.serve.auth.AccessException;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.quarkus.runtime.annotations.RegisterForReflection;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * Engine errors as gRPC tells them: a canonical code, a sentence for people, and {@code google.rpc.ErrorInfo} for programs, with
 * {@code BadRequest}, {@code RetryInfo} or {@code QuotaFailure} where they fit.
 */
// protobuf looks up the accessors of messages by reflection; the framework registers those of our own protos alone.
@RegisterForReflection(targets = {
    com.google.rpc.Status.class, com.google.rpc.Status.Builder.class, Any.class, Any.Builder.class, ErrorInfo.class, ErrorInfo.Builder.class,
    BadRequest.class, BadRequest.Builder.class, BadRequest.FieldViolation.class, BadRequest.FieldViolation.Builder.class,
    QuotaFailure.class, QuotaFailure.Builder.class, QuotaFailure.Violation.class, QuotaFailure.Violation.Builder.class,
    RetryInfo.class, RetryInfo.Builder.class, Duration.class, Duration.Builder.class})
final class GrpcErrors {
  /** Errors travel as HTTP/2 trailers, which clients take up to 8 KiB of; a message is in there twice. */
  private static final int LONGEST_MESSAGE = 512;

  private static final int LONGEST_VALUE = 128;

  private GrpcErrors() {}

  /** An engine's error; {@code paths} turns the engine's names of fields into paths within the request. */
  static StatusRuntimeException of(EngineException failure, UnaryOperator<String> paths) {
    ErrorTable.Entry entry = ErrorTable.of(failure.error());
    String message = cut(failure.getMessage(), LONGEST_MESSAGE);
    com.google.rpc.Status.Builder status = com.google.rpc.Status.newBuilder().setCode(entry.grpcCode().value()).setMessage(message);

    String field = failure.metadata().get("field");
    ErrorInfo.Builder info = ErrorInfo.newBuilder().setDomain(ErrorTable.DOMAIN).setReason(entry.reason());
    failure.metadata().forEach((key, value) -> info.putMetadata(key, cut(key.equals("field") ? paths.apply(value) : value, LONGEST_VALUE)));
    status.addDetails(Any.pack(info.build()));

    switch (failure.error()) {
      case INVALID_REQUEST -> {
        if (field != null) {
          status.addDetails(Any.pack(badRequest(cut(paths.apply(field), LONGEST_VALUE), message)));
        }
      }
      case QUEUE_FULL -> {
        QuotaFailure.Violation violation = QuotaFailure.Violation.newBuilder().setSubject("nibble.queue-capacity").setDescription(message).build();
        status.addDetails(Any.pack(QuotaFailure.newBuilder().addViolations(violation).build()));
        status.addDetails(Any.pack(retryInfo(failure)));
      }
      case MODEL_LOADING, SHUTTING_DOWN, ACCELERATOR_UNAVAILABLE -> status.addDetails(Any.pack(retryInfo(failure)));
      case MODEL_NOT_FOUND, CHAT_UNSUPPORTED, CONTEXT_LENGTH_EXCEEDED, KV_MEMORY_EXCEEDED, DEADLINE_EXCEEDED, CANCELLED, INTERNAL -> {}
    }
    return StatusProto.toStatusRuntimeException(status.build());
  }

  /** A call that is not let in; metadata {@code scope} says what a key must be good for. */
  static StatusRuntimeException of(AccessException refusal) {
    ErrorTable.Entry entry = ErrorTable.of(refusal.error());
    Map<String, String> metadata = refusal.needed().map(scope -> Map.of("scope", scope.word())).orElse(Map.of());
    return of(Status.fromCode(entry.grpcCode()).withDescription(refusal.getMessage()), entry.reason(), metadata);
  }

  /** A defect of ours; what it was is for the log alone, where the call's id finds it. */
  static StatusRuntimeException internal(String callId) {
    String message = "The call could not be answered because of a defect in the service (call " + callId + ").";
    return of(new EngineException(EngineError.INTERNAL, message, Map.of("call_id", callId)), UnaryOperator.identity());
  }

  /** What the engine knows nothing of: a refusal of the protocol's, of a reason that is only named here. */
  static StatusRuntimeException of(Status refusal, String reason, Map<String, String> metadata) {
    ErrorInfo.Builder info = ErrorInfo.newBuilder().setDomain(ErrorTable.DOMAIN).setReason(reason);
    metadata.forEach((key, value) -> info.putMetadata(key, cut(value, LONGEST_VALUE)));
    String message = refusal.getDescription() == null ? "" : cut(refusal.getDescription(), LONGEST_MESSAGE);
    return StatusProto.toStatusRuntimeException(
        com.google.rpc.Status.newBuilder().setCode(refusal.getCode().value()).setMessage(message).addDetails(Any.pack(info.build())).build());
  }

  private static BadRequest badRequest(String path, String message) {
    return BadRequest.newBuilder().addFieldViolations(BadRequest.FieldViolation.newBuilder().setField(path).setDescription(message)).build();
  }

  private static RetryInfo retryInfo(EngineException failure) {
    long seconds = Long.parseLong(failure.metadata().getOrDefault("retry_after_seconds", "1"));
    return RetryInfo.newBuilder().setRetryDelay(Duration.newBuilder().setSeconds(seconds)).build();
  }

  /** Requests are repeated in errors, and may be megabytes long. */
  private static String cut(String text, int longest) {
    if (text.length() <= longest) {
      return text;
    }
    int end = Character.isHighSurrogate(text.charAt(longest - 1)) ? longest - 1 : longest;
    return text.substring(0, end) + "…";
  }
}
