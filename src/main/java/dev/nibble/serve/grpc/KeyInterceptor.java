package dev.nibble.serve.grpc;

import dev.nibble.serve.auth.Access;
import dev.nibble.serve.auth.AccessException;
import dev.nibble.serve.auth.Scope;
import grpc.health.v1.HealthGrpc;
import inference.GRPCInferenceServiceGrpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.StatusRuntimeException;
import io.quarkus.grpc.GlobalInterceptor;
import jakarta.enterprise.inject.spi.Prioritized;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.Optional;
import java.util.Set;

/** Asks for a key (metadata {@code authorization: Bearer KEY}) before a call reaches its service. {@code docs/security.md} has the table. */
@Singleton
@GlobalInterceptor
final class KeyInterceptor implements ServerInterceptor, Prioritized {
  private static final Metadata.Key<String> AUTHORIZATION = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  /** The Open Inference Protocol's, as {@code /v2/health/…} and {@code /v2/models/…/ready} over REST. */
  private static final Set<String> PROBES = Set.of(GRPCInferenceServiceGrpc.getServerLiveMethod().getFullMethodName(),
      GRPCInferenceServiceGrpc.getServerReadyMethod().getFullMethodName(), GRPCInferenceServiceGrpc.getModelReadyMethod().getFullMethodName());

  private final Access access;

  @Inject
  KeyInterceptor(Access access) {
    this.access = access;
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    String service = String.valueOf(call.getMethodDescriptor().getServiceName());
    if (!open(service, call.getMethodDescriptor().getFullMethodName())) {
      try {
        access.require(Access.Wire.GRPC, headers.get(AUTHORIZATION), scope(service));
      } catch (AccessException refusal) {
        StatusRuntimeException status = GrpcErrors.of(refusal);
        call.close(status.getStatus(), status.getTrailers());
        return new ServerCall.Listener<>() {};
      }
    }
    return next.startCall(call, headers);
  }

  /** Probes have no keys. */
  private static boolean open(String service, String method) {
    return service.equals(HealthGrpc.SERVICE_NAME) || PROBES.contains(method);
  }

  /** What nobody thought of needs the scope that most keys have, and is not open. */
  private static Optional<Scope> scope(String service) {
    if (service.startsWith("grpc.reflection.")) {
      return Optional.empty();
    }
    return Optional.of(service.startsWith("nibble.offload.") ? Scope.OFFLOAD : Scope.GENERATE);
  }

  /** After {@link ErrorDetails} and {@link LimitInterceptor}, before all others. */
  @Override
  public int getPriority() {
    return Integer.MAX_VALUE - 2;
  }
}
