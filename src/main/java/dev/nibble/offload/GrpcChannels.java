package dev.nibble.offload;

import io.grpc.LoadBalancerRegistry;
import io.grpc.ManagedChannel;
import io.grpc.internal.PickFirstLoadBalancerProvider;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * Connections to gRPC servers of ours, on one thread of its own. Sockets are plain NIO: Netty's native transports are not in the executable. No proxy is
 * used, whatever the environment says: accelerators and services stand beside us.
 */
public final class GrpcChannels implements AutoCloseable {
  /** A dead peer is noticed within {@code KEEPALIVE + KEEPALIVE_ANSWER} seconds even where no packet says so; servers of ours allow pings this often. */
  private static final int KEEPALIVE_SECONDS = 5;
  private static final int KEEPALIVE_ANSWER_SECONDS = 3;

  private final Map<Path, KeyHeader> keys = new ConcurrentHashMap<>(); // one a file, so that what is wrong with it is said once for all connections
  private final EventLoopGroup loop = new NioEventLoopGroup(1, Thread.ofPlatform().name("nibble-grpc-client").daemon(true).factory());

  public GrpcChannels() {
    // A native executable has no service files for the registry to find its providers by.
    LoadBalancerRegistry.getDefaultRegistry().register(new PickFirstLoadBalancerProvider());
  }

  /**
   * A connection that is made when it is first used.
   *
   * @param authority the name that its certificate has to have, and that is told to the server
   * @throws IOException if a certificate or key can't be read or used; the message names the file
   */
  public ManagedChannel open(InetSocketAddress address, String authority, Optional<OffloadSettings.Tls> tls) throws IOException {
    return open(address, authority, tls, Optional.empty());
  }

  /**
   * A connection over TLS to whoever answers there, whatever its certificate. For questions that hold no secret and whose answers harm nobody.
   *
   * @throws IOException if there is no TLS here
   */
  public ManagedChannel openToAnybody(InetSocketAddress address, String authority) throws IOException {
    return builder(address, authority).sslContext(GrpcSslContexts.configure(SslContextBuilder.forClient(), SslProvider.JDK)
        .trustManager(InsecureTrustManagerFactory.INSTANCE).build()).build();
  }

  /** Like the other, with calls that bring the API key in a file. */
  public ManagedChannel open(InetSocketAddress address, String authority, Optional<OffloadSettings.Tls> tls, Optional<Path> keyFile) throws IOException {
    NettyChannelBuilder builder = builder(address, authority);
    keyFile.ifPresent(file -> builder.intercept(keys.computeIfAbsent(file, KeyHeader::new)));
    if (tls.isEmpty()) {
      return builder.usePlaintext().build();
    }
    return builder.sslContext(context(tls.get())).build();
  }

  private NettyChannelBuilder builder(InetSocketAddress address, String authority) {
    return NettyChannelBuilder.forAddress(address).eventLoopGroup(loop).channelFactory(NioSocketChannel::new).proxyDetector(server -> null)
        .overrideAuthority(authority).directExecutor().disableRetry()
        .keepAliveTime(KEEPALIVE_SECONDS, TimeUnit.SECONDS).keepAliveTimeout(KEEPALIVE_ANSWER_SECONDS, TimeUnit.SECONDS);
  }

  private static SslContext context(OffloadSettings.Tls tls) throws IOException {
    try {
      SslContextBuilder context = GrpcSslContexts.configure(SslContextBuilder.forClient(), SslProvider.JDK).trustManager(tls.trust().toFile());
      if (tls.certificate().isPresent()) {
        context.keyManager(tls.certificate().get().toFile(), tls.key().orElseThrow().toFile());
      }
      return context.build();
    } catch (IllegalArgumentException unusable) {
      // Netty's own words for a missing or garbled file, which name it.
      throw new IOException(unusable.getMessage() + (unusable.getCause() == null ? "" : ": " + unusable.getCause().getMessage()), unusable);
    }
  }

  @Override
  public void close() {
    loop.shutdownGracefully(0, 0, TimeUnit.SECONDS);
  }
}
