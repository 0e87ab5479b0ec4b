package dev.nibble.serve.api.http;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.ErrorTable;
import dev.nibble.serve.auth.AccessException;
import java.util.Map;
import java.util.Optional;

/**
 * An error as OpenAI's API tells it: {@code {"error":{"message":…,"type":…,"param":…,"code":…}}}.
 *
 * @param status HTTP status
 * @param type kind of error, OpenAI's word
 * @param message what is wrong and what to do, for the request's sender
 * @param parameter the field that is wrong; empty where no single one is
 * @param code the error's name for programs
 * @param headers HTTP headers that go with it
 */
public record ApiError(
    int status, String type, String message, Optional<String> parameter, Optional<String> code, Map<String, String> headers) {
  private static final String INVALID = "invalid_request_error";

  public ApiError {
    headers = Map.copyOf(headers);
  }

  /** A request refused before an engine saw it, for another reason than a field of its body. */
  public static ApiError refused(int status, String code, String message, Map<String, String> headers) {
    return new ApiError(status, INVALID, message, Optional.empty(), Optional.of(code), headers);
  }

  /** A method that the place does not have; {@code allowed} lists those it has, as the header {@code Allow} does. */
  public static ApiError method(String method, String allowed) {
    return refused(405, "method_not_allowed", method + " is not allowed here; allowed: " + allowed + ".", Map.of("Allow", allowed));
  }

  /** The refusal of a request that says no name of a host. */
  public static ApiError nameless() {
    return refused(400, "invalid_host", "The name that the service was called by is missing, or is none: :authority in HTTP/2, the header Host in HTTP/1.1.", Map.of());
  }

  /** An engine's error. {@code fieldNames} translates the engine's names of fields into those of the endpoint. */
  public static ApiError of(EngineException failure, Map<String, String> fieldNames) {
    ErrorTable.Entry entry = ErrorTable.of(failure.error());
    String field = failure.metadata().get("field");
    Optional<String> parameter =
        switch (failure.error()) {
          case INVALID_REQUEST -> Optional.ofNullable(field).map(name -> fieldNames.getOrDefault(name, name));
          case MODEL_NOT_FOUND -> Optional.of("model");
          case CONTEXT_LENGTH_EXCEEDED, KV_MEMORY_EXCEEDED -> {
            String prompt = field == null ? "prompt" : field;
            yield Optional.of(fieldNames.getOrDefault(prompt, prompt));
          }
          case CHAT_UNSUPPORTED, QUEUE_FULL, MODEL_LOADING, SHUTTING_DOWN, ACCELERATOR_UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED, INTERNAL -> Optional.empty();
        };
    Map<String, String> headers =
        switch (failure.error()) {
          case QUEUE_FULL, MODEL_LOADING, SHUTTING_DOWN, ACCELERATOR_UNAVAILABLE -> Map.of("Retry-After", failure.metadata().getOrDefault("retry_after_seconds", "1"));
          case INVALID_REQUEST, MODEL_NOT_FOUND, CHAT_UNSUPPORTED, CONTEXT_LENGTH_EXCEEDED, KV_MEMORY_EXCEEDED, DEADLINE_EXCEEDED, CANCELLED, INTERNAL -> Map.of();
        };
    return new ApiError(entry.httpStatus(), entry.openAiType(), failure.getMessage(), parameter, entry.openAiCode(), headers);
  }

  /** A call that is not let in; {@code WWW-Authenticate} says what is missing, as RFC 6750 has it. */
  public static ApiError of(AccessException refusal) {
    ErrorTable.Entry entry = ErrorTable.of(refusal.error());
    String scope = refusal.needed().map(needed -> ", scope=\"" + needed.word() + "\"").orElse("");
    String challenge = "Bearer realm=\"nibble\"" + switch (refusal.error()) {
      case API_KEY_MISSING -> scope;
      case API_KEY_INVALID, API_KEY_EXPIRED -> ", error=\"invalid_token\"";
      case API_KEY_SCOPE -> ", error=\"insufficient_scope\"" + scope;
    };
    return new ApiError(entry.httpStatus(), entry.openAiType(), refusal.getMessage(), Optional.empty(), entry.openAiCode(), Map.of("WWW-Authenticate", challenge));
  }

  /** A defect of ours; what it was is for the log alone, where the request's id finds it. */
  public static ApiError internal(String requestId) {
    String message = "The request could not be answered because of a defect in the service (request " + requestId + ").";
    return of(new EngineException(EngineError.INTERNAL, message, Map.of()), Map.of());
  }

  /** As the Open Inference Protocol tells errors: {@code {"error":"…"}}. */
  public ObjectNode toPlainJson() {
    return JsonNodeFactory.instance.objectNode().put("error", message);
  }

  /** As OpenAI tells errors. */
  public ObjectNode toJson() {
    ObjectNode body = JsonNodeFactory.instance.objectNode();
    body.putObject("error")
        .put("message", message)
        .put("type", type)
        .put("param", parameter.orElse(null))
        .put("code", code.orElse(null));
    return body;
  }
}
