package dev.nibble.serve.network;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameListener;
import io.netty.handler.codec.http2.Http2FrameListenerDecorator;
import io.netty.handler.codec.http2.Http2Headers;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/** Between the codec and the server of HTTP/2: answers requests whose paths the framework can't read, which it would answer with nothing, or not at all. */
final class Http2Guard extends Http2FrameListenerDecorator {
  private final ConnectionGuard guard;
  private final Http2ConnectionHandler handler;
  private final Http2Connection.PropertyKey refused;

  Http2Guard(ConnectionGuard guard, Http2ConnectionHandler handler, Http2FrameListener server) {
    super(server);
    this.guard = guard;
    this.handler = handler;
    refused = handler.connection().newKey();
  }

  @Override
  public void onHeadersRead(ChannelHandlerContext ctx, int stream, Http2Headers headers, int padding, boolean end) throws Http2Exception {
    if (!answered(ctx, stream, headers)) {
      super.onHeadersRead(ctx, stream, headers, padding, end);
    }
  }

  @Override
  public void onHeadersRead(ChannelHandlerContext ctx, int stream, Http2Headers headers, int dependency, short weight, boolean exclusive, int padding, boolean end) throws Http2Exception {
    if (!answered(ctx, stream, headers)) {
      super.onHeadersRead(ctx, stream, headers, dependency, weight, exclusive, padding, end);
    }
  }

  @Override
  public int onDataRead(ChannelHandlerContext ctx, int stream, ByteBuf data, int padding, boolean end) throws Http2Exception {
    return isRefused(stream) ? data.readableBytes() + padding : super.onDataRead(ctx, stream, data, padding, end);
  }

  private boolean isRefused(int stream) {
    return handler.connection().stream(stream) != null && handler.connection().stream(stream).getProperty(refused) != null;
  }

  private boolean answered(ChannelHandlerContext ctx, int stream, Http2Headers headers) {
    if (isRefused(stream)) {
      return true; // what comes after the body
    }
    Optional<Refusal> refusal = refusal(headers);
    refusal.ifPresent(reason -> {
      handler.connection().stream(stream).setProperty(refused, true);
      guard.countRefused(Closure.MALFORMED);
      boolean plain = headers.path() != null && Targets.isOpenInference(headers.path().toString());
      ByteBuf body = Unpooled.copiedBuffer(reason.json(plain), StandardCharsets.UTF_8);
      Http2Headers head = new DefaultHttp2Headers().status(Integer.toString(reason.status())).set(HttpHeaderNames.CONTENT_TYPE, "application/json")
          .setInt(HttpHeaderNames.CONTENT_LENGTH, body.readableBytes());
      boolean alone = headers.method() != null && "HEAD".contentEquals(headers.method());
      handler.encoder().writeHeaders(ctx, stream, head, 0, alone, ctx.newPromise());
      if (alone) {
        body.release();
      } else {
        handler.encoder().writeData(ctx, stream, body, 0, true, ctx.newPromise());
      }
      handler.flush(ctx);
    });
    return refusal.isPresent();
  }

  /** The server resets what is otherwise malformed. */
  private static Optional<Refusal> refusal(Http2Headers headers) {
    if (headers.path() == null) {
      return Optional.ofNullable(headers.method()).map(CharSequence::toString).filter("CONNECT"::equals).map(Targets::unknownMethod);
    }
    return Targets.refusal(headers.path().toString());
  }
}
