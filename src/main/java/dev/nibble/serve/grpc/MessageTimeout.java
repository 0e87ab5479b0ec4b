package dev.nibble.serve.grpc;

import dev.nibble.serve.network.ConnectionConfig;
import dev.nibble.serve.network.Connections;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.quarkus.grpc.GlobalInterceptor;
import io.vertx.core.Vertx;
import jakarta.enterprise.inject.spi.Prioritized;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Ends calls whose first message does not come: each counts as a request under way. The time is that of a request's head, or as long as messages may take where one
 * is arriving. Methods whose clients send many messages may be called long before there is one, and have as long as idle connections are kept.
 */
@Singleton
@GlobalInterceptor
final class MessageTimeout implements ServerInterceptor, Prioritized {
  private final ConnectionConfig limits;
  private final Connections connections;
  private final Vertx vertx;

  @Inject
  MessageTimeout(ConnectionConfig limits, Connections connections, Vertx vertx) {
    this.limits = limits;
    this.connections = connections;
    this.vertx = vertx;
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    return new Awaiting<>(call, next.startCall(call, headers));
  }

  private final class Awaiting<Q> extends SimpleForwardingServerCallListener<Q> {
    private final ServerCall<Q, ?> call;
    private final boolean one;
    private final long begin = System.nanoTime();
    private final AtomicBoolean decided = new AtomicBoolean();
    private volatile boolean refused;
    private volatile long timer;

    Awaiting(ServerCall<Q, ?> call, ServerCall.Listener<Q> listener) {
      super(listener);
      this.call = call;
      one = call.getMethodDescriptor().getType().clientSendsOneMessage();
      timer = vertx.setTimer(one ? limits.headTimeout().toMillis() : limits.idleTimeout().toMillis(), this::look);
    }

    private void look(long fired) {
      SocketAddress client = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
      Duration longest = one ? limits.messageTimeout() : limits.idleTimeout();
      long left = longest.toMillis() - (System.nanoTime() - begin) / 1_000_000;
      if (one && left > 0 && client != null && connections.receiving(client)) {
        timer = vertx.setTimer(left, this::look);
      } else if (decided.compareAndSet(false, true)) {
        refused = true;
        connections.countLateCall();
        super.onCancel();
        String setting = one ? "nibble.connections.head-timeout" : "nibble.connections.idle-timeout";
        StatusRuntimeException refusal = GrpcErrors.of(
            Status.DEADLINE_EXCEEDED.withDescription("The call's message has not come in time (" + setting + ")."), "MESSAGE_TIMEOUT", Map.of("setting", setting));
        call.close(refusal.getStatus(), refusal.getTrailers());
      }
    }

    private void arrived() {
      if (decided.compareAndSet(false, true)) {
        vertx.cancelTimer(timer);
      }
    }

    @Override
    public void onMessage(Q message) {
      arrived();
      if (!refused) {
        super.onMessage(message);
      }
    }

    @Override
    public void onHalfClose() {
      arrived();
      if (!refused) {
        super.onHalfClose();
      }
    }

    @Override
    public void onCancel() {
      arrived();
      if (!refused) {
        super.onCancel();
      }
    }

    @Override
    public void onComplete() {
      arrived();
      if (!refused) {
        super.onComplete();
      }
    }
  }

  /** After {@link KeyInterceptor}: who is refused there waits for nothing. */
  @Override
  public int getPriority() {
    return Integer.MAX_VALUE - 3;
  }
}
