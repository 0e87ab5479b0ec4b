package dev.nibble.serve.grpc;

import dev.nibble.serve.network.ConnectionConfig;
import dev.nibble.serve.network.Connections;
import io.quarkus.arc.Unremovable;
import io.quarkus.grpc.api.ServerBuilderCustomizer;
import io.quarkus.grpc.runtime.config.GrpcServerConfiguration;
import io.vertx.grpc.VertxServerBuilder;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.concurrent.TimeUnit;

/** The limits of connections as the gRPC server knows them; it tells clients of those that they can keep. */
@Singleton
@Unremovable
final class ServerLimits implements ServerBuilderCustomizer<VertxServerBuilder> {
  private static final int RESET_SECONDS = 30;

  private final ConnectionConfig limits;
  private final Connections connections;

  @Inject
  ServerLimits(ConnectionConfig limits, Connections connections) {
    this.limits = limits;
    this.connections = connections;
  }

  @Override
  public void customize(GrpcServerConfiguration config, VertxServerBuilder builder) {
    builder.nettyBuilder()
        .addStreamTracerFactory(new UnfinishedMessages(connections))
        .maxConcurrentCallsPerConnection(limits.maxRequestsPerConnection())
        .maxRstFramesPerWindow(limits.maxResets(), RESET_SECONDS)
        .maxConnectionIdle(limits.idleTimeout().toNanos(), TimeUnit.NANOSECONDS);
  }
}
