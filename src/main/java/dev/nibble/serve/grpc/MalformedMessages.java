package dev.nibble.serve.grpc;

import dev.nibble.serve.network.Connections;
import io.grpc.BinaryLog;
import io.grpc.Channel;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerMethodDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.quarkus.arc.Unremovable;
import io.quarkus.grpc.api.ServerBuilderCustomizer;
import io.quarkus.grpc.runtime.config.GrpcServerConfiguration;
import io.vertx.grpc.VertxServerBuilder;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.io.InputStream;
import java.util.Map;

/**
 * Refuses messages that are not in the protobuf format, with details. The library reads messages before interceptors see them, and where that fails ends the call
 * as if a service had failed, UNKNOWN without details and with a stack trace in the log. What it lets look at the reading of messages is made for logs of them.
 */
@Singleton
@Unremovable
final class MalformedMessages implements ServerBuilderCustomizer<VertxServerBuilder> {
  private final Connections connections;

  @Inject
  MalformedMessages(Connections connections) {
    this.connections = connections;
  }

  @Override
  public void customize(GrpcServerConfiguration config, VertxServerBuilder builder) {
    builder.setBinaryLog(new Readers());
  }

  private final class Readers extends BinaryLog {
    @Override
    public <Q, R> ServerMethodDefinition<?, ?> wrapMethodDefinition(ServerMethodDefinition<Q, R> method) {
      MethodDescriptor<Q, R> strict = method.getMethodDescriptor();
      MethodDescriptor<Q, R> lenient = strict.toBuilder(new Reader<>(strict.getRequestMarshaller()), strict.getResponseMarshaller()).build();
      return ServerMethodDefinition.create(lenient, (call, headers) -> new Refusing<>(call, method.getServerCallHandler().startCall(call, headers)));
    }

    /** Clients have no such thing here. */
    @Override
    public Channel wrapChannel(Channel channel) {
      return channel;
    }

    @Override
    public void close() {}
  }

  /** Reads a message; null if it is none, or too large once it is decompressed. */
  private record Reader<T>(MethodDescriptor.Marshaller<T> marshaller) implements MethodDescriptor.Marshaller<T> {
    @Override
    public InputStream stream(T message) {
      return marshaller.stream(message);
    }

    @Override
    public T parse(InputStream bytes) {
      try {
        return marshaller.parse(bytes);
      } catch (StatusRuntimeException malformed) {
        return null;
      }
    }
  }

  private final class Refusing<Q> extends SimpleForwardingServerCallListener<Q> {
    private final ServerCall<Q, ?> call;
    private boolean refused;

    Refusing(ServerCall<Q, ?> call, ServerCall.Listener<Q> listener) {
      super(listener);
      this.call = call;
    }

    @Override
    public void onMessage(Q messageOrNull) {
      if (refused) {
        return;
      }
      if (messageOrNull != null) {
        super.onMessage(messageOrNull);
        return;
      }
      refused = true;
      connections.countMalformedCall();
      // Whoever is answering already stops, as if the client had left.
      super.onCancel();
      String method = call.getMethodDescriptor().getFullMethodName();
      StatusRuntimeException refusal = GrpcErrors.of(Status.INVALID_ARGUMENT.withDescription("The message is not one that " + method
          + " takes, in the protobuf format, or is too large once it is decompressed; make the client from the service's protos, which reflection has."), "MALFORMED_MESSAGE", Map.of("method", method));
      call.close(refusal.getStatus(), refusal.getTrailers());
    }

    @Override
    public void onHalfClose() {
      if (!refused) {
        super.onHalfClose();
      }
    }

    @Override
    public void onCancel() {
      if (!refused) {
        super.onCancel();
      }
    }

    @Override
    public void onComplete() {
      if (!refused) {
        super.onComplete();
      }
    }

    @Override
    public void onReady() {
      if (!refused) {
        super.onReady();
      }
    }
  }
}
