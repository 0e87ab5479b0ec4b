package dev.nibble.serve.api.http;

import io.netty.handler.codec.http.HttpResponseStatus;
import io.quarkus.vertx.http.runtime.RouteConstants;
import io.vertx.core.MultiMap;
import io.vertx.core.http.HttpMethod;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.jboss.logging.Logger;

/**
 * Refuses what has no place on the port, or not that method there, before resources are asked, and tells what the framework refuses: all in the form of error of the
 * API that the path belongs to, which is OpenAI's where it belongs to none.
 */
@Singleton
final class PlaceCheck {
  private static final Logger LOG = Logger.getLogger(PlaceCheck.class);
  /** After all filters, before all places. */
  private static final int ROUTE_ORDER = -3;

  void register(@Observes Router router) {
    router.route().order(ROUTE_ORDER).handler(this::check).failureHandler(this::fail);
    router.route().order(RouteConstants.ROUTE_ORDER_AFTER_DEFAULT).handler(PlaceCheck::keepToResources);
    // What no route takes, or none with that method, and what is refused before any is asked.
    for (int status : new int[] {400, 404, 405, 406, 413, 414, 415, 500}) {
      router.errorHandler(status, routing -> refuse(routing, status));
    }
  }

  private void check(RoutingContext routing) {
    String path = Paths.canonical(routing.normalizedPath());
    HttpMethod method = routing.request().method();
    Optional<Set<HttpMethod>> allowed = Paths.methods(path);
    if (allowed.isPresent() && !allowed.get().contains(method)) {
      exchange(routing, path).sendNow(ApiError.method(method.name(), String.join(", ", allowed.get().stream().map(HttpMethod::name).sorted().toList())));
    } else if (allowed.isEmpty() && !Paths.isFrameworks(path)) {
      exchange(routing, path).sendNow(unknown(path));
    } else if (path.equals(Paths.METRICS)) {
      routing.reroute(Paths.FRAMEWORKS_METRICS);
    } else if (path.equals(Paths.SERVER)) {
      Exchange exchange = exchange(routing, path);
      exchange.header("Allow", "GET, HEAD, OPTIONS, POST");
      exchange.sendNothing();
    } else {
      if (path.equals(Paths.FRAMEWORKS_METRICS)) {
        acceptMetrics(routing.request().headers());
      }
      routing.next();
    }
  }

  /** After the framework's places and before resources, which would answer OPTIONS for any path. */
  private static void keepToResources(RoutingContext routing) {
    String path = Paths.canonical(routing.normalizedPath());
    if (Paths.methods(path).isPresent()) {
      routing.next();
    } else {
      exchange(routing, path).sendNow(unknown(path));
    }
  }

  /** The framework refuses who accepts nothing that metrics come in, without a body; text is of more use to them. */
  private static void acceptMetrics(MultiMap headers) {
    String accepted = headers.get("Accept");
    if (accepted != null && Stream.of("*/*", "text/*", "text/plain", "application/openmetrics-text").noneMatch(accepted::contains)) {
      headers.remove("Accept");
    }
  }

  private static Exchange exchange(RoutingContext routing, String path) {
    return new Exchange(routing, Paths.isOpenInference(path) ? ApiError::toPlainJson : ApiError::toJson);
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
    Exchange exchange = exchange(routing, path);
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
    return ApiError.refused(404, "unknown_url", "There is no " + path + " here; known: " + Paths.known(path) + ".", Map.of());
  }
}
