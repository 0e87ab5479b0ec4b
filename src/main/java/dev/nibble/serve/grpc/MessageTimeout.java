package dev.nibble.serve.grpc;

import dev.nibble.serve.network.ConnectionConfig;
import dev.nibble.serve.network.Connections;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
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
 * Ends calls whose request does not come to its end: each counts as a request under way. The time is that of a request's head, or as long as messages may take where
 * one is arriving. Methods whose clients send many messages may be called long before there is one; they have as long as idle connections are kept, from the
 * beginning, and again from each answer on.
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
    Watched<Q, R> watched = new Watched<>(call);
    return new Awaiting<>(watched, next.startCall(watched, headers));
  }

  /** A call that knows when it was answered last. */
  private static final class Watched<Q, R> extends SimpleForwardingServerCall<Q, R> {
    private volatile long answered = System.nanoTime();

    Watched(ServerCall<Q, R> call) {
      super(call);
    }

    @Override
    public void sendMessage(R message) {
      answered = System.nanoTime();
      super.sendMessage(message);
    }
  }

  private final class Awaiting<Q> extends SimpleForwardingServerCallListener<Q> {
    private final Watched<Q, ?> call;
    private final boolean one;
    private final long begin = System.nanoTime();
    private final AtomicBoolean decided = new AtomicBoolean();
    private volatile boolean refused;
    private volatile long asked; // when a message came last; as late as the answer before the first
    private volatile long timer;

    Awaiting(Watched<Q, ?> call, ServerCall.Listener<Q> listener) {
      super(listener);
      this.call = call;
      asked = call.answered;
      one = call.getMethodDescriptor().getType().clientSendsOneMessage();
      timer = set(one ? limits.headTimeout().toMillis() : limits.idleTimeout().toMillis());
    }

    private long set(long milliseconds) {
      return vertx.setTimer(Math.max(1, milliseconds), this::look);
    }

    private void look(long fired) {
      if (decided.get()) {
        return;
      }
      SocketAddress client = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
      Duration longest = one ? limits.messageTimeout() : limits.idleTimeout();
      long now = System.nanoTime();
      long left = longest.toMillis() - (now - (one ? begin : call.answered)) / 1_000_000;
      if (one && left > 0 && client != null && connections.receiving(client)) {
        timer = set(left);
      } else if (!one && asked - call.answered > 0) {
        timer = set(longest.toMillis()); // what was asked is being computed
      } else if (!one && left > 0) {
        timer = set(left);
      } else if (decided.compareAndSet(false, true)) {
        refused = true;
        connections.countLateCall();
        super.onCancel();
        String setting = one ? "nibble.connections.head-timeout" : "nibble.connections.idle-timeout";
        StatusRuntimeException refusal = GrpcErrors.of(
            Status.DEADLINE_EXCEEDED.withDescription("The call's request has not come to its end in time (" + setting + ")."), "MESSAGE_TIMEOUT", Map.of("setting", setting));
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
      asked = System.nanoTime();
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
