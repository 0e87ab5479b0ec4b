package dev.nibble.serve.rest;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationResult;
import java.util.List;

/** The Open Inference Protocol's inference response. */
final class InferFormat implements WholeWriter {
  private final String model;
  private final InferRequest request;

  InferFormat(String model, InferRequest request) {
    this.model = model;
    this.request = request;
  }

  @Override
  public ObjectNode whole(String text, List<GeneratedToken> tokens, GenerationResult result) {
    ObjectNode body = JsonNodeFactory.instance.objectNode().put("model_name", model).put("model_version", OpenInferenceRoutes.VERSION);
    request.id().ifPresent(id -> body.put("id", id));
    ArrayNode outputs = body.putArray("outputs");
    for (InferOutput output : request.outputs()) {
      ObjectNode tensor = outputs.addObject().put("name", output.tensor()).put("datatype", output.datatype());
      tensor.putArray("shape").add(1);
      ArrayNode data = tensor.putArray("data");
      switch (output) {
        case TEXT -> data.add(text);
        case FINISH_REASON -> data.add(WholeWriter.finishReason(result));
        case PROMPT_TOKENS -> data.add(result.promptTokens());
        case COMPLETION_TOKENS -> data.add(result.completionTokens());
      }
    }
    return body;
  }
}
