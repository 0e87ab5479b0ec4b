package dev.nibble.serve.rest;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.serve.ServedModels;
import dev.nibble.serve.health.LivenessCheck;
import dev.nibble.serve.health.ReadinessJudge;
import io.vertx.core.http.HttpMethod;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Liveness;

/**
 * The Open Inference Protocol (KServe's V2) with its generate extension, below {@code /v2}; as Nibble answers text, tensors hold text. Errors are
 * the protocol's {@code {"error":"…"}}.
 */
@Singleton
public final class OpenInferenceRoutes {
  /** The one version that every model has: a model goes by its file, not by a number. */
  public static final String VERSION = "1";

  /** "project_format", as the protocol wants platforms to be named. */
  public static final String PLATFORM = "nibble_gguf";

  /** A model's name in a path, which version of it, and what of it is wanted (nothing: its metadata). */
  private static final Pattern MODEL = Pattern.compile("/v2/models/([^/]+)(?:/versions/([^/]+))?(?:/(ready|infer|generate|generate_stream))?/?");

  private final ServedModels models;
  private final LivenessCheck liveness;
  private final ReadinessJudge judge;
  private final AnswerService answers;
  private final BodyReader bodies;
  private final String version;

  @Inject
  OpenInferenceRoutes(
      ServedModels models, @Liveness LivenessCheck liveness, ReadinessJudge judge, AnswerService answers, BodyReader bodies,
      @ConfigProperty(name = "quarkus.application.version") String version) {
    this.models = models;
    this.liveness = liveness;
    this.judge = judge;
    this.answers = answers;
    this.bodies = bodies;
    this.version = version;
  }

  void register(@Observes Router router) {
    router.route("/v2/*").order(BodyReader.ROUTE_ORDER).handler(this::handle);
  }

  private void handle(RoutingContext routing) {
    Exchange exchange = new Exchange(routing, ApiError::toPlainJson);
    exchange.run(() -> dispatch(routing, exchange));
  }

  private void dispatch(RoutingContext routing, Exchange exchange) {
    String path = routing.normalizedPath();
    switch (path) {
      case "/v2", "/v2/" -> read(routing, exchange, () -> exchange.sendNow(server()));
      case "/v2/health/live" -> read(routing, exchange, () -> live(exchange, liveness.call().getStatus() == HealthCheckResponse.Status.UP));
      case "/v2/health/ready" -> read(routing, exchange, () -> ready(exchange, judge.judge().ready()));
      default -> {
        Matcher place = MODEL.matcher(path);
        if (!place.matches()) {
          String message = "There is no " + path + " here; known: /v2, /v2/health/live, /v2/health/ready, "
              + "/v2/models/{name} and in it ready, infer, generate, generate_stream.";
          exchange.sendNow(ApiError.refused(404, "unknown_url", message, Map.of()));
          return;
        }
        String name = BodyReader.decode(place.group(1));
        requireVersion(name, Optional.ofNullable(place.group(2)).orElse(""));
        switch (Optional.ofNullable(place.group(3)).orElse("")) {
          case "ready" -> read(routing, exchange, () -> ready(exchange, models.require(name).model().name()));
          case "infer" -> receive(routing, exchange, new Endpoint.Infer(name));
          case "generate" -> receive(routing, exchange, new Endpoint.Generate(name, false));
          case "generate_stream" -> receive(routing, exchange, new Endpoint.Generate(name, true));
          default -> read(routing, exchange, () -> exchange.sendNow(metadata(models.require(name).model().name())));
        }
      }
    }
  }

  /** @throws EngineException MODEL_NOT_FOUND for another version than that there is; none means that one */
  public static void requireVersion(String model, String version) {
    if (!version.isEmpty() && !version.equals(VERSION)) {
      throw new EngineException(
          EngineError.MODEL_NOT_FOUND, "No version \"" + version + "\" of model \"" + model + "\" is served here; served: \"" + VERSION + "\".", Map.of("model", model));
    }
  }

  private static void read(RoutingContext routing, Exchange exchange, Runnable answer) {
    HttpMethod method = routing.request().method();
    if (method.equals(HttpMethod.GET) || method.equals(HttpMethod.HEAD)) {
      answer.run();
    } else {
      exchange.sendNow(ApiError.method(method.name(), "GET, HEAD"));
    }
  }

  private void receive(RoutingContext routing, Exchange exchange, Endpoint endpoint) {
    HttpMethod method = routing.request().method();
    if (!method.equals(HttpMethod.POST)) {
      exchange.sendNow(ApiError.method(method.name(), "POST"));
    } else if (routing.request().getHeader("Inference-Header-Content-Length") != null) {
      String message = "The header Inference-Header-Content-Length announces binary tensor data, which is not supported; send data as JSON.";
      exchange.sendNow(ApiError.refused(400, "unsupported_media_type", message, Map.of()));
    } else {
      // The protocol's clients do not all say what they send.
      bodies.receive(routing.request(), exchange, false, body -> answers.answer(endpoint, body, exchange));
    }
  }

  // ---- metadata

  private ObjectNode server() {
    ObjectNode body = JsonNodeFactory.instance.objectNode().put("name", "nibble").put("version", version);
    body.putArray("extensions").add("generate").add("parameters");
    return body;
  }

  private static void live(Exchange exchange, boolean live) {
    exchange.sendNow(live ? 200 : 503, JsonNodeFactory.instance.objectNode().put("live", live));
  }

  /** The specification calls this field {@code live} too, its implementations {@code ready}. */
  private static void ready(Exchange exchange, boolean ready) {
    exchange.sendNow(ready ? 200 : 503, JsonNodeFactory.instance.objectNode().put("live", ready).put("ready", ready));
  }

  private void ready(Exchange exchange, String model) {
    boolean ready = judge.judge().ready();
    exchange.sendNow(ready ? 200 : 503, JsonNodeFactory.instance.objectNode().put("name", model).put("ready", ready));
  }

  private static ObjectNode metadata(String model) {
    ObjectNode body = JsonNodeFactory.instance.objectNode().put("name", model);
    body.putArray("versions").add(VERSION);
    body.put("platform", PLATFORM);
    ArrayNode inputs = body.putArray("inputs");
    for (InferInput input : InferInput.values()) {
      inputs.add(tensor(input.tensor(), input.datatype(), input.length()));
    }
    ArrayNode outputs = body.putArray("outputs");
    for (InferOutput output : InferOutput.values()) {
      outputs.add(tensor(output.tensor(), output.datatype(), 1));
    }
    return body;
  }

  private static ObjectNode tensor(String name, String datatype, int length) {
    ObjectNode tensor = JsonNodeFactory.instance.objectNode().put("name", name).put("datatype", datatype);
    tensor.putArray("shape").add(length);
    return tensor;
  }
}
