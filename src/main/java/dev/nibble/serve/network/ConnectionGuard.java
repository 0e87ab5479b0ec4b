package dev.nibble.serve.network;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2ConnectionAdapter;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameListener;
import io.netty.handler.codec.http2.Http2RemoteFlowController;
import io.netty.handler.codec.http2.Http2Stream;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jboss.logging.Logger;

/**
 * Stands before the handlers of one connection: sees which protocol it speaks, how many requests are under way, and closes it when it takes too long or
 * sends what asks for nothing. Everything runs on the connection's event loop but what says so.
 */
final class ConnectionGuard extends ChannelDuplexHandler {
  private static final Logger LOG = Logger.getLogger(ConnectionGuard.class);
  private static final byte[] PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
  /** First byte of a TLS record that opens a handshake; no request begins with it. */
  private static final byte TLS_HANDSHAKE = 0x16;
  private static final long TICK_MILLISECONDS = 500;
  /** After how long a client that closed its side is asked again whether it is there: the answer to the first time is back by then, on short ways and on most. */
  private static final List<Integer> PROBE_MILLISECONDS = List.of(5, 50);
  private static final String HTTP1_GUARD = "nibble-http1";
  /** How long a client may go on sending what nobody wants, after the whole answer, before its HTTP/2 stream is reset. */
  private static final long ANSWERED_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** What is known of the protocol. */
  private enum Phase {
    UNKNOWN, HTTP1, HTTP2, CLOSED
  }

  private final Connections connections;
  private final Door door;
  private final Channel channel;
  private final InetSocketAddress remote;

  // Read by other threads, when one connection has to go.
  private volatile boolean busy;
  private volatile boolean reserved;
  private volatile long lastUse = System.nanoTime();
  private volatile Closure reservedFor = Closure.TOO_MANY;

  private final AtomicLong unfinished = new AtomicLong();
  private volatile long unfinishedSince;

  private Phase phase = Phase.UNKNOWN;
  private boolean begun;
  private boolean tls;
  private final List<Held> held = new ArrayList<>();
  private int underWay;
  private long headStart = lastUse;
  private boolean restAwaited; // and not a head
  private boolean headArriving = true;
  private Http2ConnectionHandler http2;
  private Http2FrameListener http2Initial;
  private boolean guarded; // requests of HTTP/2 are looked at before its server
  private FrameCounter frames;
  private Http2Connection.PropertyKey answered; // of streams: when the whole answer was sent, before the request's end
  private boolean halfClosed; // the client sends nothing more
  private int halfClosedTicks;
  private int nextProbe = 1; // which of the ticks since then
  private ScheduledFuture<?> ticks;
  private long progress;
  private long progressAt = lastUse;

  ConnectionGuard(Connections connections, Door door, Channel channel) {
    this.connections = connections;
    this.door = door;
    this.channel = channel;
    remote = Connections.inet(channel.remoteAddress());
    channel.attr(Connections.GUARD).set(this);
  }

  // ---- for all threads

  InetSocketAddress remote() {
    return remote;
  }

  InetAddress address() {
    return remote.getAddress();
  }

  Port port() {
    return door.port();
  }

  /** Whether a request is under way. */
  boolean busy() {
    return busy;
  }

  /** When a request last began or ended. */
  long lastUse() {
    return lastUse;
  }

  /** Whether this connection is beyond the limit, and answered health alone. */
  boolean reserved() {
    return reserved;
  }

  /** Makes this a connection beyond the limit; before it is served. */
  void reserve(Closure reason) {
    reserved = true;
    reservedFor = reason;
  }

  /** Counts bytes of messages that have not arrived whole. */
  void unfinished(long more) {
    long bytes = unfinished.addAndGet(more);
    if (bytes == 0) {
      unfinishedSince = 0;
    } else if (more < 0 || unfinishedSince == 0) {
      unfinishedSince = System.nanoTime() | 1; // since when none of them has become whole
    }
  }

  long unfinished() {
    return unfinished.get();
  }

  /** Closes the connection for a reason that is counted, from any thread. */
  void closeSoon(Closure closure) {
    channel.eventLoop().execute(() -> close(closure));
  }

  /** Closes the connection at once, without a good-bye. */
  void close() {
    ChannelHandlerContext first = channel.pipeline().firstContext();
    if (first == null) {
      channel.close();
    } else {
      first.close();
    }
  }

  // ---- requests

  /** The head of a request has arrived. */
  void requestBegan() {
    underWay++;
    headArriving = false;
    busy = true;
    lastUse = System.nanoTime();
    connections.requestBegan();
  }

  /** A request's answer is written, or nobody waits for it any more. */
  void requestEnded() {
    underWay--;
    busy = underWay > 0;
    lastUse = System.nanoTime();
    connections.requestEnded();
    if (halfClosed && underWay == 0) {
      channel.eventLoop().execute(this::finish);
    }
  }

  /** The rest of a request is awaited whose answer is written. */
  void awaitsRest() {
    headArriving = true;
    restAwaited = true;
    headStart = System.nanoTime();
  }

  void restArrived() {
    headArriving = false;
    restAwaited = false;
  }

  int underWay() {
    return underWay;
  }

  Connections connections() {
    return connections;
  }

  Closure reservedFor() {
    return reservedFor;
  }

  void count(Closure closure) {
    connections.count(this, closure);
  }

  /** Counts a request that is refused while the connection goes on. */
  void countRefused(Closure closure) {
    connections.countRefused(this, closure);
  }

  /** Closes the connection for a reason that is counted, once. */
  void close(Closure closure) {
    if (phase != Phase.CLOSED) {
      phase = Phase.CLOSED;
      count(closure);
      close();
    }
  }

  // ---- handler

  @Override
  public void channelActive(ChannelHandlerContext ctx) {
    ticks = ctx.executor().scheduleAtFixedRate(this::tick, TICK_MILLISECONDS, TICK_MILLISECONDS, TimeUnit.MILLISECONDS);
    ctx.fireChannelActive();
  }

  /** The gRPC server sends its settings before it knows whether its client speaks HTTP/2: they wait until it does, so that others can be told. */
  @Override
  public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
    if (begun) {
      ctx.write(message, promise);
    } else {
      held.add(new Held(message, promise));
    }
  }

  private record Held(Object message, ChannelPromise promise) {}

  private void release(ChannelHandlerContext ctx, boolean send) {
    for (Held write : held) {
      if (send) {
        ctx.write(write.message(), write.promise());
      } else {
        drop(write.message());
        write.promise().tryFailure(new ClosedChannelException());
      }
    }
    if (send && !held.isEmpty()) {
      ctx.flush();
    }
    held.clear();
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    phase = Phase.CLOSED;
    release(ctx, false);
    connections.forget(this);
    if (ticks != null) {
      ticks.cancel(false);
    }
    while (underWay > 0) {
      requestEnded();
    }
    ctx.fireChannelInactive();
  }

  /** The client has closed its side of the connection, as programs do that pipe a request through, or the whole of it. */
  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    if (!(event instanceof ChannelInputShutdownEvent)) {
      ctx.fireUserEventTriggered(event);
      return;
    }
    Http1Guard requests = phase == Phase.HTTP1 && !tls ? channel.pipeline().get(Http1Guard.class) : null;
    if (requests != null && requests.awaited()) {
      halfClosed = true;
      requests.probe();
      PROBE_MILLISECONDS.forEach(later -> ctx.executor().schedule(requests::probe, later, TimeUnit.MILLISECONDS));
    } else if (requests != null && underWay == 0) {
      finish();
    } else {
      close();
    }
  }

  /** A connection that was reset has no side left. */
  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    if (cause instanceof IOException) {
      close();
    }
    ctx.fireExceptionCaught(cause);
  }

  /** Closes the connection when all that was written before is on its way. */
  private void finish() {
    ChannelHandlerContext first = channel.pipeline().firstContext();
    if (first != null && phase != Phase.CLOSED) {
      first.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(sent -> close());
    }
  }

  @Override
  public void channelUnregistered(ChannelHandlerContext ctx) {
    connections.forget(this); // also where the connection never became active
    ctx.fireChannelUnregistered();
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    ByteBuf bytes = (ByteBuf) message;
    if (!begun && bytes.isReadable()) {
      begun = true;
      ChannelPipeline pipeline = ctx.pipeline();
      boolean grpc = pipeline.toMap().values().stream().anyMatch(handler -> handler.getClass().getName().startsWith("io.grpc."));
      door.port(grpc ? Port.GRPC : Port.REST);
      if (grpc) {
        connections.calls(this);
      }
      tls = pipeline.get(SslHandler.class) != null;
      boolean handshake = bytes.getByte(bytes.readerIndex()) == TLS_HANDSHAKE;
      if (tls != handshake) {
        misdirected(tls ? "This port speaks TLS; use https, or a channel with TLS." : "");
      } else if (!tls && grpc) {
        matchPreface(bytes);
      } else if (tls) {
        pipeline.addAfter(pipeline.context(SslHandler.class).name(), "nibble-decrypted", new Decrypted());
      }
      release(ctx, phase != Phase.CLOSED);
    }
    if (phase == Phase.CLOSED) {
      bytes.release();
    } else if (tls) {
      ctx.fireChannelRead(bytes);
    } else {
      received(ctx, bytes);
    }
  }

  /** Behind TLS. */
  private final class Decrypted extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
      received(ctx, (ByteBuf) message);
    }
  }

  /** Handles bytes in the clear. */
  private void received(ChannelHandlerContext ctx, ByteBuf bytes) {
    if (phase == Phase.UNKNOWN) {
      attach();
      // By single bytes until the server has found out which protocol this is, so that limits stand before its first frame is read.
      while (phase == Phase.UNKNOWN && bytes.readableBytes() > 1) {
        ctx.fireChannelRead(bytes.readRetainedSlice(1));
        attach();
      }
    }
    if (phase == Phase.HTTP1 && underWay == 0 && !headArriving && bytes.isReadable()) {
      headArriving = true;
      headStart = System.nanoTime();
    }
    if (phase == Phase.HTTP2 && !frames.accepts(bytes, System.nanoTime())) {
      close(Closure.FRAME_FLOOD);
    }
    if (phase == Phase.CLOSED) {
      bytes.release();
      return;
    }
    // The server hears of frames once it has read the client's settings, its first frame; single bytes until then, so that no request is read with them.
    while (phase == Phase.HTTP2 && !guarded && bytes.readableBytes() > 1) {
      ctx.fireChannelRead(bytes.readRetainedSlice(1));
      guardRequests();
    }
    ctx.fireChannelRead(bytes);
    if (phase == Phase.UNKNOWN) {
      attach();
    } else if (phase == Phase.HTTP2) {
      guardRequests();
    }
  }

  /** Puts our listener before the server's, which replaces the one it began with. */
  private void guardRequests() {
    if (!guarded && http2.decoder().frameListener() != http2Initial) {
      guarded = true;
      http2.decoder().frameListener(new Http2Guard(this, http2, http2.decoder().frameListener()));
    }
  }

  /** HTTP/2 and gRPC begin with the same 24 bytes; what begins otherwise is answered in words that its sender may understand. */
  private void matchPreface(ByteBuf bytes) {
    for (int i = 0; i < Math.min(bytes.readableBytes(), PREFACE.length); i++) {
      if (bytes.getByte(bytes.readerIndex() + i) != PREFACE[i]) {
        misdirected("This port speaks gRPC; the REST API is on another port, 8080 by default.");
        return;
      }
    }
  }

  /** Closes a connection that speaks something else than its port, with a sentence for HTTP/1.1 clients unless it is empty. */
  private void misdirected(String sentence) {
    if (phase == Phase.CLOSED) {
      return;
    }
    phase = Phase.CLOSED;
    count(Closure.OTHER_PROTOCOL);
    ChannelHandlerContext first = channel.pipeline().firstContext();
    if (sentence.isEmpty()) {
      first.close();
    } else {
      String body = Refusal.of(400, "wrong_port", sentence).json(false);
      String answer = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " + body.length() + "\r\n\r\n" + body;
      first.writeAndFlush(Unpooled.copiedBuffer(answer, StandardCharsets.US_ASCII)).addListener(sent -> close());
    }
  }

  /** Looks whether the server has set up the handlers of a protocol, and adds ours. */
  private void attach() {
    if (phase != Phase.UNKNOWN) {
      return;
    }
    ChannelPipeline pipeline = channel.pipeline();
    Http2ConnectionHandler handler = pipeline.get(Http2ConnectionHandler.class);
    if (handler != null) {
      attach(handler);
    } else if (pipeline.get("httpDecoder") != null) {
      phase = Phase.HTTP1;
      pipeline.addAfter("httpEncoder", HTTP1_GUARD, new Http1Guard(this));
      // What the server's own decoder holds of the first line goes on to the new one.
      pipeline.replace("httpDecoder", "httpDecoder", new StrictRequestDecoder(connections.http()));
    }
  }

  private void attach(Http2ConnectionHandler handler) {
    phase = Phase.HTTP2;
    http2 = handler;
    http2Initial = handler.decoder().frameListener();
    guarded = door.port() == Port.GRPC; // its server answers whatever it can't read
    // Where the preface was handed to the server already, its last byte is the next to be counted.
    frames = new FrameCounter(connections.config().maxResets(), door.port() == Port.GRPC || tls ? PREFACE.length : 0, System.nanoTime());
    Http2Connection connection = handler.connection();
    // At once, and not when the client has acknowledged the settings: a hostile one does not.
    connection.remote().maxActiveStreams(connections.config().maxRequestsPerConnection());
    answered = connection.newKey();
    connection.addListener(new Http2ConnectionAdapter() {
      @Override
      public void onStreamHalfClosed(Http2Stream stream) {
        if (stream.state() == Http2Stream.State.HALF_CLOSED_LOCAL) {
          stream.setProperty(answered, System.nanoTime());
        }
      }

      @Override
      public void onStreamActive(Http2Stream stream) {
        requestBegan();
      }

      @Override
      public void onStreamClosed(Http2Stream stream) {
        if (underWay > 0) {
          requestEnded();
        }
      }
    });
    headArriving = false;
  }

  // ---- time

  private void tick() {
    if (phase == Phase.CLOSED) {
      return;
    }
    long now = System.nanoTime();
    ConnectionConfig config = connections.config();
    resetAnswered(now);
    if (halfClosed && ++halfClosedTicks == nextProbe) {
      nextProbe *= 2;
      channel.pipeline().get(Http1Guard.class).probe();
    }
    boolean stalled = stalled();
    if (!stalled) {
      progressAt = now;
    }
    if (stalled && now - progressAt > config.readTimeout().toNanos()) {
      close(Closure.SLOW_READER);
    } else if (headArriving && now - headStart > (restAwaited ? config.messageTimeout() : config.headTimeout()).toNanos()) {
      slowHead();
    } else if (unfinishedSince != 0 && now - unfinishedSince > config.messageTimeout().toNanos()) {
      close(Closure.UNFINISHED);
    } else if (underWay == 0 && now - lastUse > config.idleTimeout().toNanos()) {
      phase = Phase.CLOSED;
      count(Closure.IDLE);
      channel.close(); // through the handlers: HTTP/2 says good-bye
    }
  }

  /** Resets streams whose answer is whole and whose request is not: what is left of it is not wanted (RFC 9113, 8.1). */
  private void resetAnswered(long now) {
    if (http2 == null) {
      return;
    }
    List<Http2Stream> unwanted = new ArrayList<>();
    try {
      http2.connection().forEachActiveStream(stream -> {
        Long since = stream.getProperty(answered);
        if (since != null && now - since > ANSWERED_NANOS) {
          unwanted.add(stream);
        }
        return true;
      });
    } catch (Http2Exception unusable) {
      LOG.debug("Streams could not be looked at", unusable);
    }
    ChannelHandlerContext context = channel.pipeline().context(http2);
    if (context != null && !unwanted.isEmpty()) {
      unwanted.forEach(stream -> http2.resetStream(context, stream.id(), Http2Error.NO_ERROR.code(), context.newPromise()));
      http2.flush(context);
    }
  }

  private void slowHead() {
    ChannelHandlerContext context = channel.pipeline().context(HTTP1_GUARD);
    if (begun && phase == Phase.HTTP1 && context != null) {
      ((Http1Guard) context.handler()).late(context, Refusal.of(408, "request_timeout",
          "The request did not arrive whole within " + connections.config().headTimeout().toMillis() + " ms (nibble.connections.head-timeout)."));
    } else {
      close(Closure.SLOW_HEAD);
    }
  }

  /** Whether something is ready for the client and none of it was taken since the last time. */
  private boolean stalled() {
    long before = progress;
    progress = waiting();
    return progress != 0 && progress == before;
  }

  /** A number that changes when the client takes something of what is ready for it; 0 if nothing is. */
  private long waiting() {
    long waiting = 0;
    ChannelOutboundBuffer out = channel.unsafe().outboundBuffer();
    if (out != null && out.totalPendingWriteBytes() > 0) {
      waiting = 31 * out.totalPendingWriteBytes() + out.currentProgress() + 1;
    }
    if (http2 != null) {
      Http2RemoteFlowController flow = http2.encoder().flowController();
      boolean[] any = new boolean[1];
      long[] windows = new long[1];
      try {
        http2.connection().forEachActiveStream(stream -> {
          any[0] |= flow.hasFlowControlled(stream);
          windows[0] = 31 * windows[0] + flow.windowSize(stream) + stream.id();
          return true;
        });
      } catch (Http2Exception unusable) {
        LOG.debug("Streams could not be looked at", unusable);
      }
      if (any[0]) {
        waiting = 31 * waiting + windows[0] + flow.windowSize(http2.connection().connectionStream()) + 1;
      }
    }
    return waiting;
  }

  /** Releases what is not handed on. */
  static void drop(Object message) {
    ReferenceCountUtil.release(message);
  }
}
