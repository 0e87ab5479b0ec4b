package dev.nibble.serve.api.http;

import dev.nibble.engine.EngineException;
import dev.nibble.serve.api.Admission;
import dev.nibble.serve.api.ServedModels;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/** Lets requests in, and reads what they bring along: JSON bodies of a limited size, which come in a limited time. */
@Singleton
public final class BodyReader {
  /** How much of a body that is too large is read and thrown away, in sizes allowed, so that its sender reads the refusal. */
  private static final int PATIENCE = 8;

  /** A body may take a second more for each so many bytes. */
  private static final int BYTES_PER_SECOND = 64 * 1024;

  /** How clients write it. */
  private static final Set<String> UTF8 = Set.of("charset=utf-8", "charset=utf8");

  private final ServedModels models;
  private final Admission admission;
  private final long maxBodySize;
  private final long timeoutMillis;

  @Inject
  BodyReader(ServedModels models, Admission admission, RestConfig config) {
    this.models = models;
    this.admission = admission;
    maxBodySize = config.maxBodySize().asLongValue();
    timeoutMillis = Math.max(1, config.bodyTimeout().toMillis());
  }

  /**
   * Lets a request in and reads its body, or refuses it; on the request's event loop.
   *
   * @param typed whether the body must be announced as JSON; otherwise it may also come without a Content-Type, but not from a web page
   * @param onBody is handed the whole body, whose request has a place, on the event loop; closes it
   */
  public void receive(Exchange exchange, boolean typed, Consumer<Body> onBody) {
    receive(exchange, typed, false, onBody);
  }

  /**
   * Like {@link #receive(Exchange, boolean, Consumer)}.
   *
   * @param tensors whether bytes may follow the JSON text, and the body may therefore be announced as application/octet-stream
   */
  public void receive(Exchange exchange, boolean typed, boolean tensors, Consumer<Body> onBody) {
    HttpServerRequest request = exchange.request();
    boolean waits = "100-continue".equalsIgnoreCase(request.getHeader("Expect"));
    long declared = declaredSize(request);
    Optional<ApiError> refusal = unreadable(request, typed, tensors);
    Body body = null;
    if (refusal.isEmpty() && declared > maxBodySize && (waits || declared > PATIENCE * maxBodySize)) {
      exchange.sendLast(Body.tooLarge(maxBodySize, ""));
      return;
    }
    if (refusal.isEmpty()) {
      try {
        body = admit(declared, Body.Compression.of(request.getHeader("Content-Encoding")).orElseThrow());
      } catch (EngineException full) {
        refusal = Optional.of(ApiError.of(full, Map.of()));
      }
    }
    Reception reception = new Reception(request, exchange, Optional.ofNullable(body));
    if (refusal.isPresent()) {
      // Who waits to be told to go on may send the body or not: only a new connection is sure to begin with a request.
      reception.refuse(refusal.get(), waits);
    }
    request.handler(reception::append);
    request.endHandler(end -> reception.end(onBody));
    if (waits && refusal.isEmpty()) {
      request.response().writeContinue();
    }
  }

  private Body admit(long declared, Body.Compression compression) {
    Admission.Place place = admission.arrive(models.require(""));
    if (declared > Admission.SMALL && declared <= maxBodySize) {
      // Now, rather than when the memory of others that began as well is used up.
      place.hold(declared);
    }
    return new Body(place, maxBodySize, compression);
  }

  /** A body that comes; used on one event loop alone. */
  private final class Reception {
    private final HttpServerRequest request;
    private final Exchange exchange;
    private Optional<Body> body; // until it is handed on or given up: the request may stay for long after that
    private final Vertx vertx = Vertx.currentContext().owner();
    private final long beginNanos = System.nanoTime();
    private long received;
    private boolean refused; // what still comes is thrown away
    private boolean last; // and is too much for that
    private long timer;

    Reception(HttpServerRequest request, Exchange exchange, Optional<Body> body) {
      this.request = request;
      this.exchange = exchange;
      this.body = body;
      body.map(Body::place).ifPresent(place -> exchange.onGone(() -> {
        place.leave();
        vertx.cancelTimer(timer);
        drop();
      }));
      timer = vertx.setTimer(timeoutMillis, this::look);
    }

    private void drop() {
      refused = true;
      body.ifPresent(Body::close);
      body = Optional.empty();
    }

    void refuse(ApiError error, boolean closes) {
      drop();
      if (closes) {
        exchange.sendLast(error);
      } else {
        exchange.sendNow(error);
      }
    }

    void append(Buffer part) {
      received += part.length();
      if (refused) {
        if (received > PATIENCE * maxBodySize && !last) {
          last = true;
          exchange.abandon(Body.tooLarge(maxBodySize, ""));
        }
        return;
      }
      if (received > maxBodySize) {
        // Told at the end, which most are near, so that the connection can be used on.
        drop();
        return;
      }
      try {
        body.orElseThrow().append(part);
      } catch (EngineException full) {
        refuse(ApiError.of(full, Map.of()), false);
      }
    }

    void end(Consumer<Body> onBody) {
      vertx.cancelTimer(timer);
      if (request.response().ended() || request.response().closed() || last) {
        return;
      }
      if (received > maxBodySize) {
        exchange.sendNow(Body.tooLarge(maxBodySize, ""));
        return;
      }
      Body whole = body.orElseThrow();
      try {
        whole.place().enter();
      } catch (EngineException full) {
        refuse(ApiError.of(full, Map.of()), false);
        return;
      }
      body = Optional.empty();
      onBody.accept(whole);
    }

    private void look(long fired) {
      long allowed = timeoutMillis + received * 1000 / BYTES_PER_SECOND;
      long left = allowed - (System.nanoTime() - beginNanos) / 1_000_000;
      if (left > 0) {
        timer = vertx.setTimer(left, this::look);
        return;
      }
      last = true;
      drop();
      exchange.abandon(ApiError.refused(408, "body_timeout",
          "The body has not come to its end: " + received + " bytes in " + allowed + " ms. Send it faster, or raise nibble.rest.body-timeout.", Map.of()));
    }
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

  private static Optional<ApiError> unreadable(HttpServerRequest request, boolean typed, boolean tensors) {
    String encoding = request.getHeader("Content-Encoding");
    if (Body.Compression.of(encoding).isEmpty()) {
      String message = "The Content-Encoding " + quoted(encoding) + " is not supported; send the body as it is, or compressed by gzip or deflate.";
      return Optional.of(ApiError.refused(415, "unsupported_media_type", message, Map.of("Accept-Encoding", "gzip, deflate")));
    }
    String type = request.getHeader("Content-Type");
    if (type == null) {
      // Browsers say where a page comes from, and send bodies without a type to other sites unasked; programs that leave the type out have no pages.
      boolean page = request.getHeader("Origin") != null || request.getHeader("Sec-Fetch-Site") != null;
      return typed || page ? Optional.of(unsupportedType("The Content-Type is missing; send JSON as application/json.")) : Optional.empty();
    }
    String[] parts = type.toLowerCase(Locale.ROOT).split(";");
    if (tensors && parts.length > 0 && parts[0].strip().equals("application/octet-stream")) {
      return Optional.empty();
    }
    boolean json = parts.length > 0 && parts[0].strip().equals("application/json");
    for (int i = 1; i < parts.length; i++) {
      String parameter = parts[i].strip().replace("\"", "");
      json &= !parameter.startsWith("charset=") || UTF8.contains(parameter);
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
