package dev.nibble.serve.oip;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.GeneratedToken;
import dev.nibble.engine.GenerationResult;
import dev.nibble.serve.api.http.WholeWriter;
import dev.nibble.serve.api.request.InferOutput;
import dev.nibble.serve.api.request.InferRequest;
import dev.nibble.serve.api.request.OpenInference;
import dev.nibble.serve.api.request.TensorBytes;
import java.io.ByteArrayOutputStream;
import java.util.List;

/** The Open Inference Protocol's inference response; elements that are wanted as bytes follow the JSON text, in the outputs' order. */
final class InferFormat implements WholeWriter {
  private final String model;
  private final InferRequest request;
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  InferFormat(String model, InferRequest request) {
    this.model = model;
    this.request = request;
  }

  @Override
  public ObjectNode whole(String text, List<GeneratedToken> tokens, GenerationResult result) {
    ObjectNode body = JsonNodeFactory.instance.objectNode().put("model_name", model).put("model_version", OpenInference.VERSION);
    request.id().ifPresent(id -> body.put("id", id));
    ArrayNode outputs = body.putArray("outputs");
    for (InferRequest.Wanted wanted : request.outputs()) {
      InferOutput output = wanted.output();
      ObjectNode tensor = outputs.addObject().put("name", output.tensor()).put("datatype", output.datatype());
      tensor.putArray("shape").add(1);
      switch (output) {
        case TEXT -> put(tensor, wanted, text);
        case FINISH_REASON -> put(tensor, wanted, WholeWriter.finishReason(result));
        case PROMPT_TOKENS -> put(tensor, wanted, result.promptTokens());
        case COMPLETION_TOKENS -> put(tensor, wanted, result.completionTokens());
      }
    }
    return body;
  }

  private void put(ObjectNode tensor, InferRequest.Wanted wanted, String element) {
    if (wanted.binary()) {
      put(tensor, TensorBytes.of(element));
    } else {
      tensor.putArray("data").add(element);
    }
  }

  private void put(ObjectNode tensor, InferRequest.Wanted wanted, int element) {
    if (wanted.binary()) {
      put(tensor, TensorBytes.of(element));
    } else {
      tensor.putArray("data").add(element);
    }
  }

  private void put(ObjectNode tensor, byte[] elements) {
    tensor.putObject("parameters").put("binary_data_size", elements.length);
    bytes.writeBytes(elements);
  }

  @Override
  public byte[] binary() {
    return bytes.toByteArray();
  }
}
