package dev.nibble.serve.rest;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.nibble.engine.Engine;
import dev.nibble.engine.EngineException;
import dev.nibble.engine.ModelInfo;
import dev.nibble.serve.ServedModels;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.jboss.logging.Logger;

/**
 * The OpenAI-compatible API: {@code /v1/models}, {@code /v1/chat/completions} and {@code /v1/completions}. Whatever else is asked
 * below {@code /v1} is refused in the same form of error.
 *
 * <p>Routes and not JAX-RS resources, because an answer needs the connection itself: to hear at once that the client went away,
 * and to write as fast as it reads.
 */
@Singleton
public final class OpenAiRoutes {
  private static final Logger LOG = Logger.getLogger(OpenAiRoutes.class);
  /** Ahead of Quarkus' own check of the body's size (order -2), whose refusal has no body. */
  private static final int ROUTE_ORDER = -3;
  /** How much of a body that is too large is read and thrown away, in sizes allowed, so that its sender reads the refusal. */
  private static final int PATIENCE = 8;
  private static final String MODELS = "/v1/models";
  private static final String READING = "GET, HEAD";
  private static final String ANSWERING = "POST";

  private final ServedModels models;
  private final AnswerService answers;
  private final long maxBodySize;

  @Inject
  OpenAiRoutes(ServedModels models, AnswerService answers, RestConfig config) {
    this.models = models;
    this.answers = answers;
    maxBodySize = config.maxBodySize().asLongValue();
  }

  void register(@Observes Router router) {
    router.route("/v1/*").order(ROUTE_ORDER).handler(this::handle);
  }

  private void handle(RoutingContext routing) {
    Exchange exchange = new Exchange(routing, "req_" + UUID.randomUUID().toString().replace("-", ""));
    try {
      dispatch(routing, exchange);
    } catch (EngineException failure) {
      exchange.sendNow(ApiError.of(failure, Map.of()));
    } catch (RuntimeException defect) {
      LOG.errorf(defect, "Request %s failed.", exchange.requestId());
      if (!routing.response().headWritten()) {
        exchange.sendNow(ApiError.internal(exchange.requestId()));
      }
    }
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
          receive(routing.request(), exchange, AnswerService.Endpoint.CHAT);
        } else {
          refuseMethod(exchange, method, ANSWERING);
        }
      }
      case "/v1/completions" -> {
        if (posts) {
          receive(routing.request(), exchange, AnswerService.Endpoint.TEXT);
        } else {
          refuseMethod(exchange, method, ANSWERING);
        }
      }
      default -> {
        if (!path.startsWith(MODELS + "/")) {
          String message = "There is no " + path + " here; known: /v1/models, /v1/chat/completions, /v1/completions.";
          exchange.sendNow(ApiError.refused(404, "unknown_url", message, Map.of()));
        } else if (reads) {
          exchange.sendNow(describe(models.require(decode(path.substring(MODELS.length() + 1))).model()));
        } else {
          refuseMethod(exchange, method, READING);
        }
      }
    }
  }

  private static void refuseMethod(Exchange exchange, HttpMethod method, String allowed) {
    String message = method.name() + " is not allowed here; allowed: " + allowed + ".";
    exchange.sendNow(ApiError.refused(405, "method_not_allowed", message, Map.of("Allow", allowed)));
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

  /** A path's text; a plus sign in a path is a plus sign. */
  private static String decode(String encoded) {
    try {
      return URLDecoder.decode(encoded.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException malformed) {
      throw EngineException.invalid("model", "The model's name in the path is not well percent-encoded.");
    }
  }

  // ---- bodies

  /** Reads the body, then hands over to a thread that may wait. */
  private void receive(HttpServerRequest request, Exchange exchange, AnswerService.Endpoint endpoint) {
    Optional<ApiError> refusal = unreadable(request);
    if (refusal.isPresent()) {
      exchange.sendNow(refusal.get());
      return;
    }
    boolean waits = "100-continue".equalsIgnoreCase(request.getHeader("Expect"));
    long declared = declaredSize(request);
    if (declared > maxBodySize && (waits || declared > PATIENCE * maxBodySize)) {
      exchange.sendLast(tooLarge());
      return;
    }
    Body body = new Body();
    request.handler(part -> {
      body.received += part.length();
      if (body.received <= maxBodySize) {
        body.content.appendBuffer(part);
      } else if (body.received > PATIENCE * maxBodySize && !body.refused) {
        body.refused = true;
        exchange.sendLast(tooLarge());
      }
    });
    request.endHandler(end -> {
      if (body.refused) {
        return;
      }
      if (body.received > maxBodySize) {
        exchange.sendNow(tooLarge());
      } else {
        answers.answer(endpoint, body.content.getBytes(), exchange);
      }
    });
    if (waits) {
      request.response().writeContinue();
    }
  }

  /** What was received of a body; used on one event loop alone. */
  private static final class Body {
    private final Buffer content = Buffer.buffer();
    private long received;
    private boolean refused;
  }

  /** The size that a request announces; -1 if it does not. The HTTP server has refused what is not a number. */
  private static long declaredSize(HttpServerRequest request) {
    String length = request.getHeader("Content-Length");
    try {
      return length == null ? -1 : Long.parseLong(length.strip());
    } catch (NumberFormatException huge) {
      return Long.MAX_VALUE;
    }
  }

  private ApiError tooLarge() {
    String message = "The body is larger than " + maxBodySize + " bytes, which are allowed.";
    return ApiError.refused(413, "body_too_large", message, Map.of());
  }

  private static Optional<ApiError> unreadable(HttpServerRequest request) {
    String encoding = request.getHeader("Content-Encoding");
    if (encoding != null && !encoding.equalsIgnoreCase("identity")) {
      return Optional.of(unsupportedType("The Content-Encoding " + quoted(encoding) + " is not supported; send the body as it is."));
    }
    String type = request.getHeader("Content-Type");
    if (type == null) {
      return Optional.of(unsupportedType("The Content-Type is missing; send JSON as application/json."));
    }
    String[] parts = type.toLowerCase(Locale.ROOT).split(";");
    boolean json = parts.length > 0 && parts[0].strip().equals("application/json");
    for (int i = 1; i < parts.length; i++) {
      String parameter = parts[i].strip().replace("\"", "");
      json &= !parameter.startsWith("charset=") || parameter.equals("charset=utf-8");
    }
    return json ? Optional.empty() : Optional.of(unsupportedType("The Content-Type is " + quoted(type) + "; send JSON in UTF-8 as application/json."));
  }

  private static ApiError unsupportedType(String message) {
    return ApiError.refused(415, "unsupported_media_type", message, Map.of("Accept", "application/json"));
  }

  private static String quoted(String text) {
    return "\"" + (text.length() > 64 ? text.substring(0, 64) + "…" : text) + "\"";
  }
}
