package dev.nibble.serve.network;

import io.vertx.core.impl.VertxBuilder;
import io.vertx.core.impl.transports.JDKTransport;
import io.vertx.core.spi.VertxServiceProvider;

/**
 * Puts {@link Door} in front of both servers: Vert.x makes the listening sockets of its HTTP server and of the gRPC server by one transport. Found by
 * the framework in {@code META-INF/services}, at build time.
 */
public final class GuardedVertx implements VertxServiceProvider {
  public GuardedVertx() {}

  @Override
  public void init(VertxBuilder builder) {
    if (builder.findTransport() instanceof JDKTransport) {
      builder.findTransport(new GuardedTransport());
    }
  }
}
