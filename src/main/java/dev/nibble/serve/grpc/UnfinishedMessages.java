package dev.nibble.serve.grpc;

import dev.nibble.serve.network.Connections;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import java.net.SocketAddress;
import java.util.Optional;

/** Counts the bytes of messages that have not arrived whole: the gRPC server keeps them, before anybody has asked for a key. */
final class UnfinishedMessages extends ServerStreamTracer.Factory {
  private final Connections connections;

  UnfinishedMessages(Connections connections) {
    this.connections = connections;
  }

  @Override
  public ServerStreamTracer newServerStreamTracer(String fullMethodName, Metadata headers) {
    return new Tracer();
  }

  private final class Tracer extends ServerStreamTracer {
    // Guarded by this object's monitor.
    private Optional<Connections.Inbound> inbound = Optional.empty();
    private long bytes;

    @Override
    public synchronized void serverCallStarted(ServerCallInfo<?, ?> call) {
      SocketAddress client = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
      inbound = client == null ? Optional.empty() : connections.inbound(client);
      long before = bytes;
      inbound.ifPresent(counter -> counter.add(before));
    }

    @Override
    public synchronized void inboundWireSize(long more) {
      bytes += more;
      inbound.ifPresent(counter -> counter.add(more));
    }

    @Override
    public synchronized void inboundMessageRead(int number, long wireSize, long size) {
      forget();
    }

    @Override
    public synchronized void streamClosed(Status status) {
      forget();
      inbound = Optional.empty();
    }

    private void forget() {
      long whole = bytes;
      bytes = 0;
      inbound.ifPresent(counter -> counter.add(-whole));
    }
  }
}
