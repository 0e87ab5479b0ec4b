package dev.nibble.serve.network;

import io.netty.channel.ChannelFactory;
import io.netty.channel.ServerChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.quarkus.arc.Arc;
import io.vertx.core.impl.transports.JDKTransport;

/** Java's sockets, with a {@link Door} at each that listens. */
final class GuardedTransport extends JDKTransport {
  @Override
  public ChannelFactory<? extends ServerChannel> serverChannelFactory(boolean domainSocket) {
    ChannelFactory<? extends ServerChannel> plain = super.serverChannelFactory(domainSocket);
    return () -> {
      ServerChannel channel = plain.newChannel();
      // Servers are opened when the container runs, long after this transport was made.
      Connections connections = Arc.container().instance(Connections.class).get();
      channel.pipeline().addLast("nibble-door", new Door(connections, (NioServerSocketChannel) channel));
      return channel;
    };
  }
}
