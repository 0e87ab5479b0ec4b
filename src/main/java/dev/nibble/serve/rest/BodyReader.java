package dev.nibble.serve.rest;

import dev.nibble.engine.EngineException;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/** Reads what requests bring along: JSON bodies of a limited size, and names in paths. */
@Singleton
final class BodyReader {
  /** Order of routes that read bodies here: ahead of Quarkus' own check of the body's size (order -2), whose refusal has no body. */
  static final int ROUTE_ORDER = -3;

  /** How much of a body that is too large is read and thrown away, in sizes allowed, so that its sender reads the refusal. */
  private static final int PATIENCE = 8;

  private final long maxBodySize;

  @Inject
  BodyReader(RestConfig config) {
    maxBodySize = config.maxBodySize().asLongValue();
  }

  /** A path's text; a plus sign in a path is a plus sign. @throws EngineException INVALID_REQUEST if it is not well encoded */
  static String decode(String encoded) {
    try {
      return URLDecoder.decode(encoded.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException malformed) {
      throw EngineException.invalid("model", "The model's name in the path is not well percent-encoded.");
    }
  }

  /**
   * Reads a request's body, or refuses it; on the request's event loop.
   *
   * @param typed whether the body must be announced as JSON; otherwise it may also come without a Content-Type
   * @param onBody is handed the whole body, on the event loop
   */
  void receive(HttpServerRequest request, Exchange exchange, boolean typed, Consumer<byte[]> onBody) {
    Optional<ApiError> refusal = unreadable(request, typed);
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
        onBody.accept(body.content.getBytes());
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

  private static Optional<ApiError> unreadable(HttpServerRequest request, boolean typed) {
    String encoding = request.getHeader("Content-Encoding");
    if (encoding != null && !encoding.equalsIgnoreCase("identity")) {
      return Optional.of(unsupportedType("The Content-Encoding " + quoted(encoding) + " is not supported; send the body as it is."));
    }
    String type = request.getHeader("Content-Type");
    if (type == null) {
      return typed ? Optional.of(unsupportedType("The Content-Type is missing; send JSON as application/json.")) : Optional.empty();
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
