package dev.nibble.serve.rest;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.Engine;
import dev.nibble.engine.ModelInfo;
import dev.nibble.serve.ServedModels;
import io.vertx.core.http.HttpMethod;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.Map;

/**
 * The OpenAI-compatible API: {@code /v1/models}, {@code /v1/chat/completions} and {@code /v1/completions}. Whatever else is asked
 * below {@code /v1} is refused in the same form of error.
 *
 * <p>Routes and not JAX-RS resources, because an answer needs the connection itself: to hear at once that the client went away,
 * and to write as fast as it reads.
 */
@Singleton
public final class OpenAiRoutes {
  private static final String MODELS = "/v1/models";
  private static final String READING = "GET, HEAD";
  private static final String ANSWERING = "POST";

  private final ServedModels models;
  private final AnswerService answers;
  private final BodyReader bodies;

  @Inject
  OpenAiRoutes(ServedModels models, AnswerService answers, BodyReader bodies) {
    this.models = models;
    this.answers = answers;
    this.bodies = bodies;
  }

  void register(@Observes Router router) {
    router.route("/v1/*").order(BodyReader.ROUTE_ORDER).handler(this::handle);
  }

  private void handle(RoutingContext routing) {
    Exchange exchange = new Exchange(routing, ApiError::toJson);
    exchange.run(() -> dispatch(routing, exchange));
  }

  private void dispatch(RoutingContext routing, Exchange exchange) {
    String path = routing.normalizedPath();
    HttpMethod method = routing.request().method();
    boolean reads = method.equals(HttpMethod.GET) || method.equals(HttpMethod.HEAD);
    boolean posts = method.equals(HttpMethod.POST);
    switch (path) {
      case MODELS, MODELS + "/" -> {
        if (reads) {
          exchange.sendNow(list());
        } else {
          refuseMethod(exchange, method, READING);
        }
      }
      case "/v1/chat/completions" -> {
        if (posts) {
          receive(routing, exchange, Endpoint.OpenAi.CHAT);
        } else {
          refuseMethod(exchange, method, ANSWERING);
        }
      }
      case "/v1/completions" -> {
        if (posts) {
          receive(routing, exchange, Endpoint.OpenAi.TEXT);
        } else {
          refuseMethod(exchange, method, ANSWERING);
        }
      }
      default -> {
        if (!path.startsWith(MODELS + "/")) {
          String message = "There is no " + path + " here; known: /v1/models, /v1/chat/completions, /v1/completions.";
          exchange.sendNow(ApiError.refused(404, "unknown_url", message, Map.of()));
        } else if (reads) {
          exchange.sendNow(describe(models.require(BodyReader.decode(path.substring(MODELS.length() + 1))).model()));
        } else {
          refuseMethod(exchange, method, READING);
        }
      }
    }
  }

  private void receive(RoutingContext routing, Exchange exchange, Endpoint endpoint) {
    bodies.receive(routing.request(), exchange, true, body -> answers.answer(endpoint, body, exchange));
  }

  private static void refuseMethod(Exchange exchange, HttpMethod method, String allowed) {
    exchange.sendNow(ApiError.method(method.name(), allowed));
  }

  // ---- models

  private ObjectNode list() {
    // Says that loading is not over, rather than that there are none.
    models.require("");
    ObjectNode body = JsonNodeFactory.instance.objectNode().put("object", "list");
    ArrayNode data = body.putArray("data");
    for (Engine engine : models.all()) {
      data.add(describe(engine.model()));
    }
    return body;
  }

  /** {@code context_length} is an addition of ours that other servers have as well. */
  private static ObjectNode describe(ModelInfo model) {
    return JsonNodeFactory.instance.objectNode()
        .put("id", model.name())
        .put("object", "model")
        .put("created", model.createdEpochSeconds())
        .put("owned_by", "nibble")
        .put("context_length", model.contextLength());
  }
}
