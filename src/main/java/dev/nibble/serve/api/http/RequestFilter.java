package dev.nibble.serve.api.http;

import dev.nibble.serve.api.HostNames;
import dev.nibble.serve.network.Connections;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.net.HostAndPort;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Refuses requests that a browser was led to send here under a name that is not the service's, and what HTTP/2 brings that HTTP/1.1 refuses before: unknown
 * methods, requests beyond what may be under way. Before keys are asked for.
 */
@Singleton
final class RequestFilter {
  /** Ahead of Quarkus' filters: CORS (300), ours of keys (200). */
  private static final int PRIORITY = 900;
  private static final Set<String> METHODS = Set.of("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS");
  private static final int LONGEST_NAME = 64;

  private final Connections connections;
  private final HostNames names;

  @Inject
  RequestFilter(Connections connections, RestConfig config) {
    this.connections = connections;
    names = HostNames.of(config.allowedHosts().orElse(List.of()));
  }

  void register(@Observes Filters filters) {
    filters.register(this::filter, PRIORITY);
  }

  private void filter(RoutingContext routing) {
    String path = Paths.canonical(routing.normalizedPath());
    Optional<ApiError> refusal = refusal(routing.request(), path);
    if (refusal.isPresent()) {
      new Exchange(routing, Paths.isOpenInference(path) ? ApiError::toPlainJson : ApiError::toJson).sendNow(refusal.get());
    } else {
      routing.next();
    }
  }

  private Optional<ApiError> refusal(HttpServerRequest request, String path) {
    String method = request.method().name();
    if (!METHODS.contains(method)) {
      return refuse(501, "method_not_implemented", "The method " + quoted(method) + " is not known here; known: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT.");
    }
    boolean http2 = request.version() == HttpVersion.HTTP_2;
    if (http2 && !health(path)) {
      if (connections.forHealthAlone(request.connection())) {
        return Optional.of(busy("too_many_connections", "There are too many connections; only health is answered on this one."));
      }
      if (connections.tooManyRequests()) {
        connections.countRefused(false);
        return Optional.of(busy("too_many_requests_under_way", "There are too many requests under way; try again shortly."));
      }
    }
    HostAndPort authority = request.authority();
    if (authority == null) {
      // HTTP/1.0 has no Host.
      return request.version() == HttpVersion.HTTP_1_0 && request.getHeader("Host") == null ? Optional.empty() : Optional.of(ApiError.nameless());
    }
    if (!names.allows(authority.host())) {
      return refuse(421, "host_not_allowed", "The service was called by the name " + quoted(authority.host())
          + ", which is none of its own; if it is, add it to the setting nibble.rest.allowed-hosts (NIBBLE_REST_ALLOWED_HOSTS).");
    }
    return Optional.empty();
  }

  private static boolean health(String path) {
    return Paths.HEALTH.contains(path) || path.equals("/q/health") || path.startsWith("/q/health/") || path.startsWith("/v2/health/");
  }

  private static ApiError busy(String code, String message) {
    return ApiError.refused(503, code, message, Map.of("Retry-After", "1"));
  }

  private static Optional<ApiError> refuse(int status, String code, String message) {
    return Optional.of(ApiError.refused(status, code, message, Map.of()));
  }

  private static String quoted(String text) {
    return "\"" + (text.length() > LONGEST_NAME ? text.substring(0, LONGEST_NAME) + "…" : text) + "\"";
  }
}
