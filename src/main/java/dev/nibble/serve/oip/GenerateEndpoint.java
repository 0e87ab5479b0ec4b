package dev.nibble.serve.oip;

import dev.nibble.serve.api.http.Body;
import dev.nibble.serve.api.http.BodyJson;
import dev.nibble.serve.api.http.Endpoint;
import dev.nibble.serve.api.http.Task;
import dev.nibble.serve.api.request.AnswerRequest;
import dev.nibble.serve.api.request.OpenInferenceParser;
import dev.nibble.tokenizer.EncodingBudget;

/** The generate extension's {@code generate} and {@code generate_stream}. @param model its name, from the path */
record GenerateEndpoint(String model, boolean stream) implements Endpoint {
  @Override
  public Task read(Body body, BodyJson json, EncodingBudget budget) {
    AnswerRequest request = OpenInferenceParser.generate(json.read(body, budget), model, stream);
    return stream
        ? new Task.Streamed(request, engine -> new GenerateFormat(engine.model().name()))
        : new Task.Whole(request, engine -> new GenerateFormat(engine.model().name()));
  }
}
