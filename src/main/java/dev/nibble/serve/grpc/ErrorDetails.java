package dev.nibble.serve.grpc;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.quarkus.grpc.GlobalInterceptor;
import jakarta.enterprise.inject.spi.Prioritized;
import jakarta.inject.Singleton;
import java.util.Map;

/**
 * Gives {@code google.rpc.ErrorInfo} to calls that libraries end with a bare status, a second message to a unary method for one; its reason is the
 * status' code. What the transport refuses never becomes a call, and does not come by here.
 */
@Singleton
@GlobalInterceptor
final class ErrorDetails implements ServerInterceptor, Prioritized {
  /** Where {@code io.grpc.protobuf.StatusProto} puts details. */
  private static final Metadata.Key<byte[]> DETAILS = Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    return next.startCall(new SimpleForwardingServerCall<>(call) {
      @Override
      public void close(Status status, Metadata trailers) {
        if (!status.isOk() && !trailers.containsKey(DETAILS)) {
          trailers.merge(GrpcErrors.of(status, status.getCode().name(), Map.of()).getTrailers());
        }
        super.close(status, trailers);
      }
    }, headers);
  }

  /** First of all, so that it sees what the others make of a status. */
  @Override
  public int getPriority() {
    return Integer.MAX_VALUE;
  }
}
