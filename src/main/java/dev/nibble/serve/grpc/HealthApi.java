package dev.nibble.serve.grpc;

import dev.nibble.offload.v1.AcceleratorServiceGrpc;
import dev.nibble.serve.health.ReadinessJudge;
import dev.nibble.serve.health.ReadinessVerdict;
import dev.nibble.serve.network.ConnectionConfig;
import dev.nibble.v1.GenerationServiceGrpc;
import dev.nibble.v1.ModelServiceGrpc;
import dev.nibble.v1.TokenizerServiceGrpc;
import grpc.health.v1.HealthGrpc;
import grpc.health.v1.HealthOuterClass.HealthCheckRequest;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse.ServingStatus;
import inference.GRPCInferenceServiceGrpc;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Inject;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * {@code grpc.health.v1.Health}: the whole (the empty name), each service by its full name, and each model by its own name, which is
 * known from when it is loaded. Never blocks.
 */
@GrpcService
final class HealthApi extends HealthGrpc.HealthImplBase {
  private static final Set<String> SERVICES =
      Set.of(
          "", GenerationServiceGrpc.SERVICE_NAME, ModelServiceGrpc.SERVICE_NAME, TokenizerServiceGrpc.SERVICE_NAME, AcceleratorServiceGrpc.SERVICE_NAME,
          GRPCInferenceServiceGrpc.SERVICE_NAME);
  /** Names of services and models are shorter; a longer one is nobody's, now and later. */
  private static final int MAX_NAME = 256;
  /** The protocol's SERVICE_UNKNOWN, which the framework's copy of it leaves out. */
  private static final int SERVICE_UNKNOWN = 3;

  private final ReadinessJudge judge;
  private final int maxWatches;

  // Guarded by this object's monitor, so that each watcher hears of changes once and in order.
  private final Map<String, ServingStatus> statuses = new HashMap<>();
  private final Map<String, Set<StreamObserver<HealthCheckResponse>>> watchers = new HashMap<>();
  private int watches;

  @Inject
  HealthApi(ReadinessJudge judge, ConnectionConfig limits) {
    this.judge = judge;
    maxWatches = limits.maxHealthWatches();
    SERVICES.forEach(service -> statuses.put(service, ServingStatus.NOT_SERVING));
  }

  synchronized void changed(@Observes ReadinessVerdict verdict) {
    ServingStatus status = verdict.ready() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    Set<String> names = new HashSet<>(SERVICES);
    names.addAll(verdict.models());
    for (String name : names) {
      if (statuses.put(name, status) != status) {
        watchers.getOrDefault(name, Set.of()).forEach(watcher -> watcher.onNext(response(status)));
      }
    }
  }

  @Override
  public void check(HealthCheckRequest request, StreamObserver<HealthCheckResponse> observer) {
    judge.judge(); // tells of what is new, outside this object's monitor
    ServingStatus status;
    synchronized (this) {
      status = statuses.get(request.getService());
    }
    if (status == null) {
      Status unknown = Status.NOT_FOUND.withDescription("There is no service or model of that name here.");
      observer.onError(GrpcErrors.of(unknown, "SERVICE_NOT_FOUND", Map.of("service", request.getService())));
      return;
    }
    observer.onNext(response(status));
    observer.onCompleted();
  }

  @Override
  public void watch(HealthCheckRequest request, StreamObserver<HealthCheckResponse> observer) {
    // The name is the stranger's: it may become a model's when loading is over, unless it is too long for one, and then it is not kept.
    String name = request.getService().length() > MAX_NAME ? request.getService().substring(0, MAX_NAME + 1) : request.getService();
    ServerCallStreamObserver<HealthCheckResponse> watcher = (ServerCallStreamObserver<HealthCheckResponse>) observer;
    synchronized (this) {
      if (watches < maxWatches) {
        watches++;
        watcher.setOnCancelHandler(() -> forget(name, watcher));
        ServingStatus status = statuses.get(name);
        watcher.onNext(status == null ? HealthCheckResponse.newBuilder().setStatusValue(SERVICE_UNKNOWN).build() : response(status));
        watchers.computeIfAbsent(name, key -> new HashSet<>()).add(watcher);
        return;
      }
    }
    Status full = Status.RESOURCE_EXHAUSTED.withDescription("There are " + maxWatches + " watches of health already (nibble.connections.max-health-watches); ask by Check.");
    observer.onError(GrpcErrors.of(full, "TOO_MANY_WATCHES", Map.of("setting", "nibble.connections.max-health-watches")));
  }

  private synchronized void forget(String name, StreamObserver<HealthCheckResponse> watcher) {
    Set<StreamObserver<HealthCheckResponse>> others = watchers.get(name);
    if (others != null && others.remove(watcher)) {
      watches--;
      if (others.isEmpty()) {
        watchers.remove(name);
      }
    }
  }

  private static HealthCheckResponse response(ServingStatus status) {
    return HealthCheckResponse.newBuilder().setStatus(status).build();
  }
}
