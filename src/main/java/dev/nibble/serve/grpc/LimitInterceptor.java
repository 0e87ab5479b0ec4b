package dev.nibble.serve.grpc;

import dev.nibble.serve.network.Connections;
import grpc.health.v1.HealthGrpc;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.quarkus.grpc.GlobalInterceptor;
import jakarta.enterprise.inject.spi.Prioritized;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.net.SocketAddress;
import java.util.Map;

/** Refuses calls beyond what may be under way in all, and on connections beyond what there may be; health is answered all the same. */
@Singleton
@GlobalInterceptor
final class LimitInterceptor implements ServerInterceptor, Prioritized {
  private final Connections connections;

  @Inject
  LimitInterceptor(Connections connections) {
    this.connections = connections;
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    if (!HealthGrpc.SERVICE_NAME.equals(call.getMethodDescriptor().getServiceName())) {
      SocketAddress client = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
      if (client != null && connections.forHealthAlone(client)) {
        return refuse(call, "TOO_MANY_CONNECTIONS", "There are too many connections; only health is answered on this one.", "nibble.connections.max");
      }
      if (connections.tooManyRequests()) {
        connections.countRefused(true);
        return refuse(call, "TOO_MANY_REQUESTS_UNDER_WAY", "There are too many requests under way; try again shortly.", "nibble.connections.max-requests");
      }
    }
    return next.startCall(call, headers);
  }

  private static <Q, R> ServerCall.Listener<Q> refuse(ServerCall<Q, R> call, String reason, String message, String setting) {
    StatusRuntimeException refusal = GrpcErrors.of(Status.RESOURCE_EXHAUSTED.withDescription(message), reason, Map.of("setting", setting));
    call.close(refusal.getStatus(), refusal.getTrailers());
    return new ServerCall.Listener<>() {};
  }

  /** Between {@link ErrorDetails} and {@link KeyInterceptor}: comparing keys costs more than counting. */
  @Override
  public int getPriority() {
    return Integer.MAX_VALUE - 1;
  }
}
