package dev.nibble.serve.api.http;

import dev.nibble.serve.auth.Access;
import dev.nibble.serve.auth.AccessException;
import dev.nibble.serve.auth.Scope;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.Optional;
import java.util.regex.Pattern;

/** Asks for a key (header {@code Authorization: Bearer KEY}) before a request reaches its route. {@code docs/security.md} has the table. */
@Singleton
final class KeyFilter {
  /** Ahead of every route of ours and Quarkus', and after its CORS filter (300): a browser's first question brings no key. */
  private static final int PRIORITY = 200;
  private static final String HEALTH = "/q/health";
  private static final Pattern MODEL_READY = Pattern.compile("/v2/models/[^/]+(?:/versions/[^/]+)?/ready/?");

  private final Access access;

  @Inject
  KeyFilter(Access access) {
    this.access = access;
  }

  void register(@Observes Filters filters) {
    filters.register(this::filter, PRIORITY);
  }

  private void filter(RoutingContext routing) {
    String path = Paths.canonical(routing.normalizedPath());
    if (!open(path)) {
      try {
        access.require(Access.Wire.REST, routing.request().getHeader("Authorization"), Optional.of(scope(path)));
      } catch (AccessException refusal) {
        new Exchange(routing, Paths.isOpenInference(path) ? ApiError::toPlainJson : ApiError::toJson).sendNow(ApiError.of(refusal));
        return;
      }
    }
    routing.next();
  }

  /** Probes have no keys. */
  private static boolean open(String path) {
    return Paths.HEALTH.contains(path) || path.equals(HEALTH) || path.startsWith(HEALTH + "/") || path.equals("/v2/health/live") || path.equals("/v2/health/ready")
        || MODEL_READY.matcher(path).matches();
  }

  /** What nobody thought of needs a key, and is not open. */
  private static Scope scope(String path) {
    if (path.equals(Paths.OPENAPI)) {
      return Scope.GENERATE; // it is for those who write clients
    }
    return path.startsWith("/q/") || path.equals(Paths.METRICS) ? Scope.METRICS : Scope.GENERATE;
  }
}
