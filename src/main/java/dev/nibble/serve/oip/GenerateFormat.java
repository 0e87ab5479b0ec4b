package dev.nibble.serve.oip;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationResult;
import dev.nibble.serve.api.http.StreamWriter;
import dev.nibble.serve.api.http.WholeWriter;
import dev.nibble.serve.api.request.OpenInference;
import java.util.List;
import java.util.Optional;

/** The generate extension's responses: Triton's fields, {@code done} as KServe's streams have it, and at the end what Nibble adds. */
final class GenerateFormat implements WholeWriter, StreamWriter {
  private final String model;

  GenerateFormat(String model) {
    this.model = model;
  }

  @Override
  public ObjectNode whole(String text, List<GeneratedToken> tokens, GenerationResult result) {
    return end(head(text), result);
  }

  @Override
  public Optional<ObjectNode> first(String echo) {
    return Optional.empty();
  }

  @Override
  public ObjectNode piece(String text, GeneratedToken tokenOrNull) {
    return head(text).put("done", false);
  }

  @Override
  public List<ObjectNode> ends(GenerationResult result) {
    return List.of(end(head("").put("done", true), result));
  }

  @Override
  public boolean saysDone() {
    return false;
  }

  private ObjectNode head(String text) {
    return JsonNodeFactory.instance.objectNode()
        .put("model_name", model)
        .put("model_version", OpenInference.VERSION)
        .put("text_output", text);
  }

  private static ObjectNode end(ObjectNode body, GenerationResult result) {
    body.put("finish_reason", WholeWriter.finishReason(result))
        .put("prompt_tokens", result.promptTokens())
        .put("completion_tokens", result.completionTokens())
        .set("timings", WholeWriter.timings(result));
    return body;
  }
}
