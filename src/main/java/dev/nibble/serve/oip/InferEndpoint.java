package dev.nibble.serve.oip;

import dev.nibble.serve.api.http.Body;
import dev.nibble.serve.api.http.BodyJson;
import dev.nibble.serve.api.http.Endpoint;
import dev.nibble.serve.api.http.Task;
import dev.nibble.serve.api.request.InferRequest;
import dev.nibble.serve.api.request.RawInputs;
import dev.nibble.tokenizer.EncodingBudget;
import java.util.OptionalInt;

/**
 * The Open Inference Protocol's {@code infer}.
 *
 * @param model its name, from the path
 * @param jsonBytes how many bytes of the body are JSON text, which the bytes of tensors follow; empty for all
 */
record InferEndpoint(String model, OptionalInt jsonBytes) implements Endpoint {
  @Override
  public Task read(Body body, BodyJson json, EncodingBudget budget) {
    InferRequest request = request(body, json, budget);
    return new Task.Whole(request.answer(), engine -> new InferFormat(engine.model().name(), request));
  }

  private InferRequest request(Body body, BodyJson json, EncodingBudget budget) {
    if (jsonBytes.isEmpty()) {
      return InferRequest.read(json.read(body, budget), RawInputs.none(), model);
    }
    BodyJson.WithTensors read = json.read(body, jsonBytes.getAsInt(), budget);
    return InferRequest.read(read.json(), new RawInputs.Binary(read.tensors()), model);
  }
}
