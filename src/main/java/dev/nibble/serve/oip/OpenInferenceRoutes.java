package dev.nibble.serve.oip;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.RequestStatistics;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.serve.api.http.AnswerService;
import dev.nibble.serve.api.http.ApiError;
import dev.nibble.serve.api.http.BodyReader;
import dev.nibble.serve.api.http.Endpoint;
import dev.nibble.serve.api.http.Exchange;
import dev.nibble.serve.api.request.Fields;
import dev.nibble.serve.api.request.OpenInference;
import dev.nibble.serve.api.request.RawInputs;
import dev.nibble.serve.health.LivenessCheck;
import dev.nibble.serve.health.ReadinessJudge;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
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
  /** A model's name in a path, which version of it, and what of it is wanted (nothing: its metadata). */
  private static final Pattern MODEL = Pattern.compile("/v2/models/([^/]+)(?:/versions/([^/]+))?(?:/(ready|config|stats|infer|generate|generate_stream))?/?");

  private final ServedModels models;
  private final LivenessCheck liveness;
  private final ReadinessJudge judge;
  private final AnswerService answers;
  private final BodyReader bodies;
  private final RequestStatistics statistics;
  private final String version;

  @Inject
  OpenInferenceRoutes(
      ServedModels models, @Liveness LivenessCheck liveness, ReadinessJudge judge, AnswerService answers, BodyReader bodies, RequestStatistics statistics,
      @ConfigProperty(name = "quarkus.application.version") String version) {
    this.models = models;
    this.liveness = liveness;
    this.judge = judge;
    this.answers = answers;
    this.bodies = bodies;
    this.statistics = statistics;
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
      case "/v2/repository/index" -> index(routing, exchange);
      case "/v2/models/stats" -> read(routing, exchange, () -> exchange.sendNow(OpenInferenceTexts.statistics(models.all(), statistics)));
      default -> {
        Matcher place = MODEL.matcher(path);
        if (!place.matches()) {
          String message = "There is no " + path + " here; known: /v2, /v2/health/live, /v2/health/ready, /v2/repository/index, "
              + "/v2/models/stats, /v2/models/{name} and in it ready, config, stats, infer, generate, generate_stream.";
          exchange.sendNow(ApiError.refused(404, "unknown_url", message, Map.of()));
          return;
        }
        String name = BodyReader.decode(place.group(1));
        OpenInference.requireVersion(name, Optional.ofNullable(place.group(2)).orElse(""));
        switch (Optional.ofNullable(place.group(3)).orElse("")) {
          case "ready" -> read(routing, exchange, () -> ready(exchange, models.require(name).model().name()));
          case "config" -> read(routing, exchange, () -> exchange.sendNow(OpenInferenceTexts.config(models.require(name))));
          case "stats" -> read(routing, exchange, () -> exchange.sendNow(OpenInferenceTexts.statistics(List.of(models.require(name)), statistics)));
          case "infer" -> receive(routing, exchange, new InferEndpoint(name, jsonBytes(routing)));
          case "generate" -> receive(routing, exchange, new GenerateEndpoint(name, false));
          case "generate_stream" -> receive(routing, exchange, new GenerateEndpoint(name, true));
          default -> read(routing, exchange, () -> exchange.sendNow(OpenInferenceTexts.metadata(models.require(name))));
        }
      }
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
    } else {
      // The protocol's clients do not all say what they send.
      bodies.receive(routing.request(), exchange, false, endpoint instanceof InferEndpoint, body -> answers.answer(endpoint, body, exchange));
    }
  }

  /** How many bytes of a body are JSON text; empty if all are. @throws EngineException INVALID_REQUEST if that is not told by an integer */
  private static OptionalInt jsonBytes(RoutingContext routing) {
    String told = routing.request().getHeader(RawInputs.Binary.HEADER);
    if (told == null) {
      return OptionalInt.empty();
    }
    try {
      int size = Integer.parseInt(told.strip());
      if (size >= 0) {
        return OptionalInt.of(size);
      }
    } catch (NumberFormatException other) {
      // told below
    }
    throw EngineException.invalid(RawInputs.Binary.HEADER, "The header " + RawInputs.Binary.HEADER + " must be how many bytes of the body are JSON text.");
  }

  /** Lists the models, or those that are ready; Triton's clients ask by POST, mostly without a body. */
  private void index(RoutingContext routing, Exchange exchange) {
    HttpServerRequest request = routing.request();
    if (!request.method().equals(HttpMethod.POST)) {
      exchange.sendNow(ApiError.method(request.method().name(), "POST"));
      return;
    }
    String length = request.getHeader("Content-Length");
    if (request.getHeader("Transfer-Encoding") == null && (length == null || length.strip().equals("0"))) {
      exchange.sendNow(index(false));
    } else {
      bodies.receive(request, exchange, false, body -> answers.describe(body, exchange, told -> index(Fields.ofBody(told).flag("ready"))));
    }
  }

  private ArrayNode index(boolean readyOnly) {
    return OpenInferenceTexts.index(models.all(), judge.judge(), readyOnly);
  }

  // ---- metadata

  private ObjectNode server() {
    ObjectNode body = JsonNodeFactory.instance.objectNode().put("name", "nibble").put("version", version);
    ArrayNode extensions = body.putArray("extensions").add("generate");
    OpenInference.EXTENSIONS.forEach(extensions::add);
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
}
