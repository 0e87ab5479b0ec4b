package dev.nibble.serve.openai;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineError;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.ModelInfo;
import dev.nibble.serve.api.ServedModels;
import dev.nibble.serve.api.http.AnswerService;
import dev.nibble.serve.api.http.ApiError;
import dev.nibble.serve.api.http.BodyReader;
import dev.nibble.serve.api.http.Endpoint;
import dev.nibble.serve.api.http.Exchange;
import dev.nibble.serve.api.http.Paths;
import dev.nibble.serve.health.LivenessCheck;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.vertx.core.MultiMap;
import io.vertx.core.http.HttpMethod;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Liveness;
import org.jboss.logging.Logger;

/**
 * The OpenAI-compatible API: {@code /v1/models}, {@code /v1/chat/completions} and {@code /v1/completions}, also without {@code /v1}, and the places that clients of
 * vLLM's server ask for beside them. Whatever else is asked of the port is refused in the same form of error, also where the framework refuses it;
 * only the Open Inference Protocol has its own.
 *
 * <p>Routes and not JAX-RS resources, because an answer needs the connection itself: to hear at once that the client went away,
 * and to write as fast as it reads.
 */
@Singleton
public final class OpenAiRoutes {
  private static final Logger LOG = Logger.getLogger(OpenAiRoutes.class);
  private static final Set<HttpMethod> READING = Set.of(HttpMethod.GET, HttpMethod.HEAD);
  private static final Set<HttpMethod> ANSWERING = Set.of(HttpMethod.POST);
  /** SageMaker's probes and vLLM's server have both. */
  private static final Set<HttpMethod> PROBING = Set.of(HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST);

  private final ServedModels models;
  private final LivenessCheck liveness;
  private final AnswerService answers;
  private final TokenizerService tokenizer;
  private final BodyReader bodies;
  private final Endpoint chat;
  private final Endpoint text;
  private final String version;

  @Inject
  OpenAiRoutes(
      ServedModels models, @Liveness LivenessCheck liveness, AnswerService answers, TokenizerService tokenizer, BodyReader bodies,
      @ConfigProperty(name = "quarkus.application.version") String version) {
    this.models = models;
    this.liveness = liveness;
    this.answers = answers;
    this.tokenizer = tokenizer;
    this.bodies = bodies;
    this.version = version;
    String fingerprint = "fp_nibble_" + version;
    chat = new OpenAiEndpoint(OpenAiEndpoint.Kind.CHAT, fingerprint);
    text = new OpenAiEndpoint(OpenAiEndpoint.Kind.TEXT, fingerprint);
  }

  void register(@Observes Router router) {
    router.route().order(BodyReader.ROUTE_ORDER).handler(this::handle).failureHandler(this::fail);
    // What no route takes, or none with that method, and what is refused before any is asked.
    for (int status : new int[] {400, 404, 405, 406, 413, 414, 415, 500}) {
      router.errorHandler(status, routing -> refuse(routing, status));
    }
  }

  // ---- what is refused elsewhere

  private void fail(RoutingContext routing) {
    refuse(routing, routing.statusCode() < 400 ? 500 : routing.statusCode());
  }

  private static void refuse(RoutingContext routing, int status) {
    if (routing.response().headWritten()) {
      routing.response().reset();
      return;
    }
    String path = Paths.canonical(routing.normalizedPath());
    Exchange exchange = new Exchange(routing, Paths.isOpenInference(path) ? ApiError::toPlainJson : ApiError::toJson);
    switch (status) {
      case 400 -> exchange.sendNow(routing.request().authority() == null ? ApiError.nameless() : refused(400));
      case 404 -> exchange.sendNow(unknown(path));
      case 405 -> exchange.sendNow(ApiError.method(routing.request().method().name(), "GET"));
      case 500 -> {
        LOG.errorf(routing.failure(), "Request %s failed.", exchange.requestId());
        exchange.sendNow(ApiError.internal(exchange.requestId()));
      }
      default -> exchange.sendNow(refused(status));
    }
  }

  private static ApiError refused(int status) {
    String reason = HttpResponseStatus.valueOf(status).reasonPhrase();
    return ApiError.refused(status, reason.toLowerCase(Locale.ROOT).replaceAll("[^a-z]+", "_"), "The request can't be answered: " + reason + ".", Map.of());
  }

  private static ApiError unknown(String path) {
    return ApiError.refused(404, "unknown_url", "There is no " + path + " here; known: " + Paths.KNOWN + ".", Map.of());
  }

  // ---- places

  private void handle(RoutingContext routing) {
    String path = Paths.canonical(routing.normalizedPath());
    if ((path.equals(Paths.METRICS) || path.equals(Paths.FRAMEWORKS_METRICS)) && !READING.contains(routing.request().method())) {
      take(READING, routing, new Exchange(routing, ApiError::toJson), () -> {});
    } else if (path.equals(Paths.METRICS)) {
      routing.reroute(Paths.FRAMEWORKS_METRICS);
    } else if (Paths.isFrameworks(path) || Paths.isOpenInference(path)) {
      if (path.equals(Paths.FRAMEWORKS_METRICS)) {
        acceptMetrics(routing.request().headers());
      }
      routing.next();
    } else {
      Exchange exchange = new Exchange(routing, ApiError::toJson);
      exchange.run(() -> dispatch(path, routing, exchange));
    }
  }

  /** The framework refuses who accepts nothing that metrics come in, without a body; text is of more use to them. */
  private static void acceptMetrics(MultiMap headers) {
    String accepted = headers.get("Accept");
    if (accepted != null && Stream.of("*/*", "text/*", "text/plain", "application/openmetrics-text").noneMatch(accepted::contains)) {
      headers.remove("Accept");
    }
  }

  private void dispatch(String path, RoutingContext routing, Exchange exchange) {
    switch (path) {
      case Paths.MODELS -> take(READING, routing, exchange, () -> exchange.sendNow(list()));
      case Paths.CHAT -> take(ANSWERING, routing, exchange, () -> receive(routing, exchange, chat));
      case Paths.TEXT -> take(ANSWERING, routing, exchange, () -> receive(routing, exchange, text));
      case Paths.TOKENIZE ->
          take(ANSWERING, routing, exchange, () -> bodies.receive(routing.request(), exchange, true, body -> tokenizer.tokenize(body, exchange)));
      case Paths.DETOKENIZE ->
          take(ANSWERING, routing, exchange, () -> bodies.receive(routing.request(), exchange, true, body -> tokenizer.detokenize(body, exchange)));
      case Paths.TOKENIZER_INFO -> take(READING, routing, exchange, () -> exchange.sendNow(tokenizer.info()));
      case Paths.VERSION -> take(READING, routing, exchange, () -> exchange.sendNow(JsonNodeFactory.instance.objectNode().put("version", version)));
      case Paths.SERVER ->
          take(Set.of(HttpMethod.OPTIONS), routing, exchange, () -> {
            exchange.header("Allow", "GET, HEAD, OPTIONS, POST");
            exchange.sendNothing();
          });
      case "/health", "/ping" -> take(PROBING, routing, exchange, () -> probe(exchange));
      default -> {
        if (path.startsWith(Paths.MODELS + "/")) {
          take(READING, routing, exchange, () -> exchange.sendNow(describe(models.require(BodyReader.decode(path.substring(Paths.MODELS.length() + 1))).model())));
        } else {
          exchange.sendNow(unknown(path));
        }
      }
    }
  }

  private static void take(Set<HttpMethod> allowed, RoutingContext routing, Exchange exchange, Runnable answer) {
    HttpMethod method = routing.request().method();
    if (allowed.contains(method)) {
      answer.run();
    } else {
      exchange.sendNow(ApiError.method(method.name(), String.join(", ", allowed.stream().map(HttpMethod::name).sorted().toList())));
    }
  }

  private void receive(RoutingContext routing, Exchange exchange, Endpoint endpoint) {
    bodies.receive(routing.request(), exchange, true, body -> answers.answer(endpoint, body, exchange));
  }

  /**
   * As vLLM's server answers probes, with nothing: whether the model is there and its engine lives. A full queue does not count, unlike for {@code /q/health/ready}:
   * who restarts a service for a probe like this one would lose what it computes.
   */
  private void probe(Exchange exchange) {
    models.require("");
    if (models.stopping()) {
      throw new EngineException(EngineError.SHUTTING_DOWN, "The service is stopping and takes no new requests.", Map.of());
    }
    if (liveness.call().getStatus() == HealthCheckResponse.Status.UP) {
      exchange.sendNothing();
    } else {
      exchange.sendNow(ApiError.of(new EngineException(EngineError.INTERNAL, "The engine makes no step any more.", Map.of()), Map.of()));
    }
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

  /** The context's length has a name of ours, which other servers have as well, and vLLM's. */
  private static ObjectNode describe(ModelInfo model) {
    return JsonNodeFactory.instance.objectNode()
        .put("id", model.name())
        .put("object", "model")
        .put("created", model.createdEpochSeconds())
        .put("owned_by", "nibble")
        .put("context_length", model.contextLength())
        .put("max_model_len", model.contextLength());
  }
}
