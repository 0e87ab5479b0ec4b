package dev.nibble.serve.metrics;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.http.Outcome;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * {@code http_server_requests_seconds}, as the framework's own has it but with labels of closed sets: the framework takes methods as they come, and whoever
 * makes some up would fill the memory with meters.
 */
@Singleton
final class HttpMetrics {
  /** Ahead of all filters, so that what they refuse is counted. */
  private static final int PRIORITY = 1000;
  private static final Set<String> METHODS = Set.of("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS");
  /** Paths that are a label each; requests for others share one. */
  private static final Set<String> PATHS = Set.of(
      "/v1/models", "/v1/completions", "/v1/chat/completions", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/repository/index",
      "/q/metrics", "/q/openapi", "/q/health", "/q/health/live", "/q/health/ready", "/q/health/started",
      "/health", "/metrics", "/version", "/tokenize", "/detokenize", "/tokenizer_info", "/ping");
  /** Paths that also go without the version before them. */
  private static final Set<String> ALIASES = Set.of("/models", "/completions", "/chat/completions");
  private static final String OTHER = "/other";

  private final MeterRegistry registry;
  private final Map<Labels, Timer> timers = new ConcurrentHashMap<>();

  /** What a request was, in words of closed sets: the status is one that this program answers with, or 0 where the client left before. */
  private record Labels(String method, String uri, int status) {}

  @Inject
  HttpMetrics(MeterRegistry registry) {
    this.registry = registry;
  }

  void register(@Observes Filters filters) {
    filters.register(this::time, PRIORITY);
  }

  private void time(RoutingContext routing) {
    long start = System.nanoTime();
    String method = routing.request().method().name();
    String path = routing.normalizedPath();
    routing.addEndHandler(end -> {
      int status = end.succeeded() ? routing.response().getStatusCode() : 0;
      Labels labels = new Labels(METHODS.contains(method) ? method : "OTHER", uri(path), status);
      timers.computeIfAbsent(labels, this::timer).record(System.nanoTime() - start, TimeUnit.NANOSECONDS);
    });
    routing.next();
  }

  private Timer timer(Labels labels) {
    boolean answered = labels.status > 0;
    return Timer.builder("http.server.requests").description("HTTP requests, by what they asked for and how that ended.")
        .tag("method", labels.method).tag("uri", labels.uri).tag("status", answered ? Integer.toString(labels.status) : "RESET")
        .tag("outcome", (answered ? Outcome.forStatus(labels.status) : Outcome.CLIENT_ERROR).name()).register(registry);
  }

  private static String uri(String path) {
    String bare = path.length() > 1 && path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    if (ALIASES.contains(bare)) {
      return "/v1" + bare;
    }
    if (PATHS.contains(bare)) {
      return bare;
    }
    if (bare.startsWith("/v1/models/") || bare.startsWith("/models/")) {
      return "/v1/models/{id}";
    }
    return bare.startsWith("/v2/models/") ? "/v2/models/{name}" : OTHER;
  }
}
