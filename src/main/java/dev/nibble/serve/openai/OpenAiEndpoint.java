package dev.nibble.serve.openai;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.Engine;
import dev.nibble.serve.api.http.Body;
import dev.nibble.serve.api.http.BodyJson;
import dev.nibble.serve.api.http.Endpoint;
import dev.nibble.serve.api.http.Task;
import dev.nibble.serve.api.request.AnswerRequest;
import dev.nibble.serve.api.request.RequestParser;
import dev.nibble.tokenizer.EncodingBudget;
import java.time.Instant;
import java.util.UUID;

/**
 * A place of OpenAI's that answers; bodies say which model and whether to stream.
 *
 * @param fingerprint stands for everything that answers depend on apart from the request
 */
record OpenAiEndpoint(Kind kind, String fingerprint) implements Endpoint {
  /** What is answered. */
  enum Kind {
    CHAT,
    TEXT
  }

  @Override
  public Task read(Body body, BodyJson json, EncodingBudget budget) {
    ObjectNode tree = json.read(body, budget);
    AnswerRequest request =
        switch (kind) {
          case CHAT -> RequestParser.chat(tree);
          case TEXT -> RequestParser.completion(tree);
        };
    return request.stream() ? new Task.Streamed(request, engine -> format(engine, request)) : new Task.Whole(request, engine -> format(engine, request));
  }

  private AnswerFormat format(Engine engine, AnswerRequest request) {
    String unique = UUID.randomUUID().toString().replace("-", "");
    String model = engine.model().name();
    long now = Instant.now().getEpochSecond();
    return switch (kind) {
      case CHAT -> new ChatFormat("chatcmpl-" + unique, model, now, fingerprint, engine.tokenizer(), request);
      case TEXT -> new TextFormat("cmpl-" + unique, model, now, fingerprint, engine.tokenizer(), request);
    };
  }
}
