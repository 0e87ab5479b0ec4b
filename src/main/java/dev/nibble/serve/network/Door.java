package dev.nibble.serve.network;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import java.util.concurrent.TimeUnit;

/** Sees connections of a listening socket before its server does, and lets in those for which there is room. */
final class Door extends ChannelInboundHandlerAdapter {
  private static final long PAUSE_MILLISECONDS = 200;

  private final Connections connections;
  private final NioServerSocketChannel listener;

  /** Known from the first connection on whose server has set up its handlers; written on connections' event loops. */
  private volatile Port port = Port.REST;

  Door(Connections connections, NioServerSocketChannel listener) {
    this.connections = connections;
    this.listener = listener;
  }

  /** Which of the ports this is the door of. */
  Port port() {
    return port;
  }

  void port(Port known) {
    port = known;
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    Channel channel = (Channel) message;
    ConnectionGuard guard = new ConnectionGuard(connections, this, channel);
    if (connections.admit(guard)) {
      channel.config().setOption(ChannelOption.ALLOW_HALF_CLOSURE, true); // the guard closes those that nobody waits at
      channel.pipeline().addLast("nibble-connection", guard);
      ctx.fireChannelRead(message);
    } else {
      channel.unsafe().closeForcibly();
    }
  }

  /** Accepting failed, for want of file descriptors as a rule. What was to be accepted waits in the kernel until there is room. */
  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    connections.acceptFailed(cause);
    listener.config().setAutoRead(false);
    ctx.executor().schedule(() -> listener.config().setAutoRead(true), PAUSE_MILLISECONDS, TimeUnit.MILLISECONDS);
  }
}
