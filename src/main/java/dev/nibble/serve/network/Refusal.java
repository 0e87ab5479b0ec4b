package dev.nibble.serve.network;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * A request refused before a route is looked for.
 *
 * @param status HTTP status
 * @param code the error's name for programs
 * @param message what is wrong and what to do
 */
record Refusal(int status, String code, String message) {
  static Refusal of(int status, String code, String message) {
    return new Refusal(status, code, message);
  }

  /** The body: as OpenAI's API tells errors, or as the Open Inference Protocol does. */
  String json(boolean plain) {
    ObjectNode body = JsonNodeFactory.instance.objectNode();
    if (plain) {
      return body.put("error", message).toString();
    }
    body.putObject("error").put("message", message).put("type", status >= 500 && status != 501 && status != 505 ? "server_error" : "invalid_request_error")
        .putNull("param").put("code", code);
    return body.toString();
  }
}
